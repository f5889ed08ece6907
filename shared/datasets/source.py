"""One face for every collection: the drawn sets, CIFAR-100, folders, tables, tar files, ready embeddings."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shared.datasets import cifar100
from shared.datasets.clip_retrieval import find_parts, open_part, open_parts
from shared.datasets.embeddings import read_columns, read_npy, read_npz
from shared.datasets.folder import list_pictures
from shared.datasets.joined import join
from shared.datasets.painted import DrawnSource, PaintedSource, ScenesSource
from shared.datasets.patterns import expand, shards_in
from shared.datasets.picture import EmbeddingSource, Picture, PictureSource
from shared.datasets.reading import PLAIN, Reading
from shared.datasets.tables import TableSource, read_csv, read_parquet
from shared.datasets.webdataset import TarSource
from shared.errors import InvalidInput, InvalidSetting, NotFound
from shared.local_path import local_path

DEFAULT_SPLIT = "kb"


@dataclass(frozen=True)
class ListedSource:
    """Pictures in a list; files are read while one walks over it."""

    name: str
    split: str | None
    labels: tuple[str, ...]
    pictures: Sequence[Picture]

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)


class FirstOfEachLabel:
    """The first `count` pictures of each label of another source, in its order."""

    def __init__(self, whole: PictureSource, count: int) -> None:
        self.name, self.split, self.labels = whole.name, whole.split, whole.labels
        self._whole, self._count = whole, count

    def __len__(self) -> int:
        return self._length

    @cached_property
    def _length(self) -> int:
        whole = self._whole
        labels = whole.item_labels() if isinstance(whole, PaintedSource) else (picture.label for picture in whole)
        return sum(min(self._count, held) for held in Counter(labels).values())

    def __iter__(self) -> Iterator[Picture]:
        missing = dict.fromkeys(self.labels, self._count)
        for picture in self._whole:
            if missing[picture.label]:
                missing[picture.label] -= 1
                yield picture
            elif not any(missing.values()):
                return


def open_source(spec: str, split: str | None = None, download: bool = False, reading: Reading = PLAIN) -> PictureSource:
    """Open a collection of pictures.

    spec: `drawn`, `scenes`, `cifar100:DIR`, a folder (CIFAR-100 in its official lay-out; pictures; shards), a table of
    pictures (.csv, .tsv, .parquet), or a WebDataset .tar; `first:N:SPEC` for the first N of each label; a brace range
    such as `{000..099}.tar` or a glob stands for several
    split: part of it; None for `kb`, or for the whole of anything that has no parts
    download: let `cifar100:DIR` fetch the official archive into DIR if it is not there
    reading: what the user says of the files, and which of several shards were skipped
    """
    source = open_collection(spec, split, download, reading)
    if isinstance(source, EmbeddingSource):
        raise InvalidSetting(f"{spec!r} holds embeddings; pictures are needed here")
    return source


def open_collection(
    spec: str, split: str | None = None, download: bool = False, reading: Reading = PLAIN
) -> PictureSource | EmbeddingSource:
    """Open a collection of pictures as `open_source` does, or of ready embeddings: .npz, .npy, a .parquet with a column
    of embeddings, or a folder of clip-retrieval.
    """
    return open_collections([spec], split, download, reading)


def open_embeddings(path: Path) -> EmbeddingSource:
    """Ready embeddings of a file or a folder. Raises InvalidSetting for anything else."""
    source = open_collection(str(path))
    if not isinstance(source, EmbeddingSource):
        raise InvalidSetting(f"{str(path)!r} holds pictures; give ready embeddings, .npy, .npz or .parquet")
    return source


def open_collections(
    specs: Sequence[str], split: str | None = None, download: bool = False, reading: Reading = PLAIN
) -> PictureSource | EmbeddingSource:
    """Open several collections as one, in their order; each spec as for `open_source`.

    One that is missing or damaged is skipped and listed in `reading.skipped`, unless `reading.strict` or it is the only
    one. Raises what the first of them raised if none is left.
    """
    expanded = [one for spec in specs for one in (expand(spec) if _is_path(spec) else [spec])]
    taken, opened, failures = [], [], []
    for spec in expanded:
        try:
            opened.append(_open(spec, split, download, reading))
            taken.append(spec)
        except (InvalidInput, NotFound) as error:
            if reading.strict or len(expanded) == 1:
                raise
            failures.append(error)
            reading.skipped.append((spec, str(error)))
    if not opened:
        raise failures[0]
    return join(taken, opened)


def _is_path(spec: str) -> bool:
    return spec not in _PAINTED and spec.partition(":")[0] not in _KINDS


def _open(spec: str, split: str | None, download: bool, reading: Reading) -> PictureSource | EmbeddingSource:
    if spec in _PAINTED:
        return _PAINTED[spec](split or DEFAULT_SPLIT)
    kind, colon, rest = spec.partition(":")
    if colon and kind == "cifar100":
        return _open_cifar100(cifar100.download_cifar100(rest) if download else rest, split or DEFAULT_SPLIT)
    if colon and kind == "first":
        return _open_first(rest, split, download)
    path = local_path(spec)
    if path.is_dir():
        return _open_folder(path, split, reading)
    if not path.is_file():
        raise NotFound(
            f"There is no source {spec!r}; type drawn, scenes, cifar100:DIR, or the path of a folder or of a file "
            f"({', '.join(_FILES)})."
        )
    if split is not None:
        raise InvalidSetting(f"{spec!r} is a file and has no part {split!r}; leave the split out.")
    return _open_file(path, reading)


def _open_first(rest: str, split: str | None, download: bool) -> FirstOfEachLabel:
    count, _, whole = rest.partition(":")
    if not (count.isdecimal() and int(count) and whole):
        raise InvalidSetting(f"'first:{rest}' is no source; type first:N:SOURCE, such as first:20:drawn.")
    return FirstOfEachLabel(open_source(whole, split, download), int(count))


def _open_cifar100(folder: str | Path, split: str) -> ListedSource:
    """One split of CIFAR-100, in memory."""
    part, file = cifar100.read_cifar100(folder, split), "train" if split == "train" else "test"
    rows = zip(part.positions, part.targets, part.pixels, strict=True)
    pictures = [
        Picture(f"cifar100/{file}/{position:05d}", part.names[target], pixels) for position, target, pixels in rows
    ]
    return ListedSource("cifar100", split, part.names, pictures)


def _open_folder(folder: Path, split: str | None, reading: Reading) -> PictureSource | EmbeddingSource:
    if cifar100.is_cifar100(folder):
        return _open_cifar100(folder, split or DEFAULT_SPLIT)
    if split is not None and not (folder / split).is_dir():
        raise InvalidSetting(
            f"The folder {str(folder)!r} has no part {split!r}; leave the split out, or name a sub-folder."
        )
    root = folder if split is None else folder / split
    if parts := find_parts(root):
        return open_parts(root, parts, reading)
    try:
        files = list_pictures(root)
    except NotFound:
        if shards := shards_in(root) or ((root / "data").is_dir() and shards_in(root / "data")):
            return open_collections([str(shard) for shard in shards], reading=reading)
        raise
    # ids are paths in the whole folder, so that pictures of two parts never have the same
    inside = None if reading.follow_links else folder
    pictures = [Picture(path.relative_to(folder).as_posix(), label, path, inside=inside) for label, path in files]
    return ListedSource(folder.name, split, tuple(sorted({label for label, _ in files})), pictures)


def _open_file(path: Path, reading: Reading) -> PictureSource | EmbeddingSource:
    reader = _FILES.get(path.suffix.lower())
    if reader is None:
        raise InvalidSetting(f"{str(path)!r} is no kind of file that can be opened; choose {', '.join(_FILES)}.")
    return reader(path, reading)


def _open_npy(path: Path, reading: Reading) -> EmbeddingSource:
    own = reading.names is None and path.name.startswith("img_emb")
    return open_part(path, reading) if own else read_npy(path, reading)


def _open_parquet(path: Path, reading: Reading) -> PictureSource | EmbeddingSource:
    columns = read_parquet(path)
    embedded = reading.column(columns, "embedding", path) is not None and "path" not in reading.columns
    return read_columns(path, columns, reading) if embedded else TableSource(path, columns, reading)


def _open_csv(path: Path, reading: Reading) -> TableSource:
    return TableSource(path, read_csv(path, reading), reading)


_KINDS = ("cifar100", "first")
_PAINTED: dict[str, Callable[[str], PaintedSource]] = {"drawn": DrawnSource, "scenes": ScenesSource}
_FILES: dict[str, Callable[[Path, Reading], PictureSource | EmbeddingSource]] = {
    ".csv": _open_csv,
    ".tsv": _open_csv,
    ".parquet": _open_parquet,
    ".tar": lambda path, _: TarSource(path),
    ".npz": read_npz,
    ".npy": _open_npy,
}
