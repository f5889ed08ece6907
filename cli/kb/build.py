"""`semlink kb build`: a knowledge base from pictures or embeddings."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from cli.console import answer, complain, complain_of, out
from cli.kb.common import Copy
from cli.options import Device, Download, HelpAll, Json, Weights
from cli.progress import progress
from cli.reading import complain_of_sources, takes_reading
from receiver.knowledge_base import BuildReport, Duplicates, EngineSettings, build_knowledge_base
from shared.clip import MODEL, Clip, load_clip
from shared.datasets import EmbeddingSource, PictureSource, Reading, open_collections
from shared.errors import InvalidSetting, Mismatch, NotFound

ClipName = Annotated[
    str | None,
    typer.Option(help="clip-tiny, clip-scenes, or any model of open_clip, such as ViT-B-32; pictures take clip-tiny."),
]
Fingerprint = Annotated[
    str | None,
    typer.Option("--clip-fingerprint", metavar="HEX", help="Of the CLIP that made the embeddings, if not loaded."),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Pictures that CLIP embeds together; else 64, and 512 on a GPU.")
]


_CONFLICT: Final = ("item_id", "label", "same_as", "label_of_that")


class _Identity(NamedTuple):
    """Name and fingerprint of a CLIP that is not loaded."""

    name: str
    fingerprint: str
    dim: int


@takes_reading
def build(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="drawn, scenes, cifar100:DIR, folders, or files; see above."),
    ],
    *,
    directory: Annotated[Path, typer.Option("--out", help="Folder of the knowledge base.")],
    split: Annotated[str | None, typer.Option(help="Part of the source; else kb, or all of it.")] = None,
    clip: ClipName = None,
    weights: Weights = None,
    clip_fingerprint: Fingerprint = None,
    download: Download = False,
    device: Device = "auto",
    batch_size: BatchSize = None,
    engine: Annotated[str, typer.Option(help="Index engine; auto takes what suits the number of items.")] = "auto",
    uri: Annotated[
        str | None, typer.Option(metavar="FILE.db|http://HOST:19530", help="Of engine milvus: where it runs.")
    ] = None,
    copy: Copy = False,
    resume: Annotated[bool, typer.Option(help="Continue a build of this source that was stopped.")] = True,
    duplicates: Annotated[
        Duplicates, typer.Option(help="Of equal pictures: store the first, or all, or stop with an error.")
    ] = "first",
    reading: Reading,
    help_all: HelpAll = False,  # noqa: ARG001 - ends the command by itself
    json: Json = False,
) -> None:
    """Embed every picture of a source and store it with its label and a thumbnail.

    A source is one of: `drawn` (single shapes that the project draws), `scenes` (several shapes in a picture),
    `cifar100:DIR`, a folder of pictures (its sub-folders are labels) or of shards, a `.csv`, `.tsv` or `.parquet` with
    the columns path, label, caption, a WebDataset `.tar`, or ready embeddings: `.npz` (embeddings, ids, labels),
    `.npy`, `.parquet` (id, embedding, label, caption), or a folder of clip-retrieval (img_emb, metadata). Several are
    joined; `{000..099}` or `*` in a name stand for several. Columns and arrays are found by their usual names, in any
    case; `--help-all` lists the flags that name others.

    Until the build is done, what was in --out before stays. Stopped, it continues when it is called again.
    A knowledge base that a receiver serves is not replaced under it: stop the receiver, or build into another folder.

    - `semlink kb build holiday-pictures/ --out kb` — then `semlink up --kb kb`
    - `semlink kb build 'shards/{000..099}.tar' --out kb`
    - `semlink kb build cifar100:data --out kb --clip ViT-B-32 --weights openai --download`
    - `semlink kb build labels.csv --out kb --path-column photo --encoding latin-1`
    - `semlink kb build features.npz --out kb --clip ViT-B-32 --clip-fingerprint 0123456789abcdef`

    Embeddings of two CLIPs cannot be compared, so a link refuses a knowledge base whose CLIP has another fingerprint, a
    digest of weights and preprocessing. `semlink features` writes it into its file; for embeddings made elsewhere with
    weights that this machine lacks give --clip-fingerprint, as `semlink kb info` shows it for the same CLIP.
    """
    items = open_collections(sources, split, download, reading)
    model = _named(items, clip, clip_fingerprint) or _loaded(items, clip, weights, device, download=download)
    size = batch_size or (512 if "cuda" in str(getattr(model, "device", "")) else 64)
    settings = EngineSettings(engine, "cpu", uri=uri)
    with progress(f"embedding {items.name}") as report:
        built = build_knowledge_base(
            items, directory, model, size, report, settings=settings, copy=copy, resume=resume, duplicates=duplicates
        )
    document = asdict(built) | {
        "directory": str(directory),
        "skipped": [{"item_id": name, "reason": why} for name, why in built.skipped],
        "duplicates": [{"item_id": name, "same_as": first} for name, first in built.duplicates],
        "conflicts": [dict(zip(_CONFLICT, conflict, strict=True)) for conflict in built.conflicts],
        "skipped_sources": [{"source": name, "reason": why} for name, why in reading.skipped],
    }
    answer(json, document, lambda: _show(built, directory, reading))
    if json:
        complain_of_sources(reading, each=False)


def _loaded(
    items: PictureSource | EmbeddingSource, name: str | None, weights: str | None, device: str, *, download: bool
) -> Clip:
    """The CLIP, for pictures to embed, or for its fingerprint alone."""
    try:
        return load_clip(name or MODEL, weights, device, download=download)
    except NotFound as error:
        if not isinstance(items, EmbeddingSource):
            raise
        raise NotFound(
            f"{error} Ready embeddings need no weights: --clip-fingerprint HEX names the CLIP that made them, as "
            "`semlink kb info` shows it for a knowledge base of the same CLIP."
        ) from error


def _named(items: PictureSource | EmbeddingSource, name: str | None, fingerprint: str | None) -> _Identity | None:
    """The CLIP that made ready embeddings, if its fingerprint was given; None if a CLIP has to be loaded."""
    if not isinstance(items, EmbeddingSource):
        if fingerprint is not None:
            raise InvalidSetting("--clip-fingerprint goes with ready embeddings; pictures are embedded by a CLIP")
        return None
    name, fingerprint = _said("clip", name, items.clip), _said("clip-fingerprint", fingerprint, items.clip_fingerprint)
    if name is None:
        raise InvalidSetting(
            "these embeddings do not say which CLIP made them: name it with --clip MODEL, such as ViT-B-32, and, where "
            "its weights are not here, --clip-fingerprint HEX"
        )
    return None if fingerprint is None else _Identity(name, fingerprint, items.dim)


def _said(option: str, given: str | None, in_file: str) -> str | None:
    """The value of an option, given by the user or by the file. Raises Mismatch if they differ."""
    if given and in_file and given != in_file:
        raise Mismatch(f"--{option} {given}, but the embeddings were made by {in_file}: leave the option out")
    return given or in_file or None


def _show(built: BuildReport, directory: Path, reading: Reading) -> None:
    resumed = f", {built.resumed} of them before" if built.resumed else ""
    out.print(f"{built.items} items with {built.labels} labels in {directory}, in {built.seconds:.1f} s{resumed}")
    conflicts = [(name, f"{label!r}, but {first} is {other!r}") for name, label, first, other in built.conflicts]
    differing = {name for name, _ in conflicts}
    same = [(name, first) for name, first in built.duplicates if name not in differing]
    complain_of_sources(reading)
    for what, found in [
        ("skipped, they cannot be read", built.skipped),
        ("the same pictures as others, with the same label", same),
        ("the same pictures as others, with another label (see --duplicates)", conflicts),
    ]:
        if found:
            complain(f"{len(found)} {what}:")
            complain_of([f"  {name}: {why}" for name, why in found])
