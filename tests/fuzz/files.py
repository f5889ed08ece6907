"""Targets that take files: sources of knowledge bases, recordings, schedules, scenarios, pictures."""

import pickle
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from channel_proxy.relay import report_of
from client.recording import RecordingWriter, read_recording
from lab.evaluate.scenario import SHIPPED, load_scenario
from receiver.knowledge_base.ingest.pictures import prepare
from shared.clip.preprocess import make_preprocess
from shared.codecs.base.picture import fit_picture
from shared.datasets import EmbeddingSource, Picture, Reading, open_collection
from shared.datasets.decoding import decode_picture
from shared.errors import SemLinkError
from shared.frame.channel_records import RecordedBurst
from shared.phy import ChannelSettings, Link
from shared.phy.conditions.schedule import Schedule, read_trace
from shared.security.tokens import TokenBook, digest_of
from tests.fuzz.target import Target
from tests.tools.encoded_files import CIFAR, DAMAGED, VECTORS, WHOLE, blank, npy, parquet, picture, tar
from tests.tools.rpc import make_burst
from tests.tools.schedules import OFDM, SINGLE_CARRIER

_MOST_PICTURES: Final = 16
_EXPERIMENTS: Final = SHIPPED.parent / "channel"
_PREPROCESS: Final = make_preprocess({"size": 64, "resize_mode": "shortest", "interpolation": "bicubic"})


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()


def _written(data: bytes, name: str, others: Mapping[str, bytes]) -> Path:
    """A folder of the target's own with the input as a file of this name, and others beside it."""
    folder = Path(_folder().name) / name.replace("/", "-")
    path = folder / name
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True)
        for other, content in others.items():
            (folder / other).parent.mkdir(parents=True, exist_ok=True)
            (folder / other).write_bytes(content)
    path.write_bytes(data)
    return folder


def _collection(data: bytes, name: str, spec: str = "", others: Mapping[str, bytes] = {}) -> None:
    """Open a source and walk over it, as a build does. spec: what is opened, by default the file."""
    folder = _written(data, name, others)
    source = open_collection(f"{spec}{folder}" if spec else str(folder / name), reading=Reading(strict=True))
    if isinstance(source, EmbeddingSource):
        list(islice(source, _MOST_PICTURES))
        return
    for one in islice(source, _MOST_PICTURES):
        _decoded(one)


def _decoded(one: Picture) -> None:
    """A build skips a picture that it cannot read."""
    try:
        one.image()
    except SemLinkError:
        return


def _picture(data: bytes) -> None:
    """As the transmitter and the receiver take it; what cannot be read is the same for both."""
    for take in (_PREPROCESS, fit_picture):
        take(decode_picture(data, target_size=64).image)
    prepare(Picture("one", "label", data), copy=True)


def _schedule(data: bytes) -> None:
    trace = (_EXPERIMENTS / "train.csv").read_bytes()
    schedule = Schedule.from_file(_written(data, "s.toml", {"train.csv": trace}) / "s.toml")
    timeline = schedule.timeline()
    for seconds in (0.0, 1.0, 1e6):
        schedule.base().updated(**timeline.at(seconds))


def _recording(data: bytes) -> None:
    read_recording(_written(data, "r.sigmf-meta", {"r.sigmf-data": _recorded()[1]}) / "r")


def _made(kind: str, modes: Iterable[str], **options: object) -> list[bytes]:
    return [picture(kind, mode, **options) for mode in modes]


@cache
def _recorded() -> tuple[bytes, bytes]:
    """Metadata and samples of a recording of two bursts."""
    name = Path(_folder().name) / "made" / "r"
    with RecordingWriter(name) as writer:
        for number in (1, 2):
            burst = make_burst(number, pilot_symbols=8)
            sent = Link.from_settings(ChannelSettings()).transmit(burst.symbols, 0, number)
            writer.add(RecordedBurst(burst, None, report_of(sent), False))
    return tuple(name.with_suffix(suffix).read_bytes() for suffix in (".sigmf-meta", ".sigmf-data"))  # type: ignore[return-value]


def _pictures() -> list[bytes]:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # a quarter turn
    return [
        *_made("PNG", ("RGB", "L", "1", "P", "RGBA", "LA", "I;16")),
        *_made("JPEG", ("RGB", "L", "CMYK")),
        picture("JPEG", progressive=True, exif=exif),
        *_made("WEBP", ("RGB", "RGBA")),
        picture("WEBP", lossless=True),
        *_made("GIF", ("P", "L")),
        *_made("BMP", ("RGB", "P")),
        *_made("TIFF", ("RGB", "L", "I;16", "F", "CMYK")),
        *(picture("TIFF", compression=one) for one in ("tiff_lzw", "tiff_deflate", "packbits", "group4")[:3]),
        picture("PPM"),
        picture("AVIF"),
        blank((9000, 7000)),
        blank((1, 50_000)),
    ]


def _endings(suffix: str) -> list[bytes]:
    return [data for name, data in (WHOLE | DAMAGED).items() if name.endswith(suffix)]


def _tables() -> list[bytes]:
    metadata = b'{"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}'
    face = {"image": [{"bytes": picture("PNG"), "path": "a.png"}, {"bytes": None, "path": "b.png"}], "label": [0, 1]}
    downloaded = {
        "key": ["000", "001"],
        "caption": ["a", "b"],
        "url": ["https://a", "https://b"],
        "status": ["success"] * 2,
    }
    return [*_endings(".parquet"), parquet(face, huggingface=metadata), parquet(downloaded)]


def _shards() -> list[bytes]:
    """Of WebDataset and img2dataset."""
    described = b'{"caption": "a cat", "label": 3, "url": "https://a", "status": "success"}'
    return [
        *_endings(".tar"),
        tar(a_jpg=picture("JPEG"), a_json=described, a_txt=b"a cat"),
        tar(a_0_png=picture("PNG")),
    ]


def _texts(*paths: Path) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for path in paths]


_PARTS: Final = {"img_emb/img_emb_0.npy": npy(VECTORS)}
_META: Final = "metadata/metadata_0.parquet"
_OTHERS: Final = {name: pickle.dumps(content) for name, content in ({"train": {}} | CIFAR).items()}


def _archived() -> list[bytes]:
    meta, data = _recorded()
    return [tar(**{"r/r.sigmf-meta": meta, "r/r.sigmf-data": data})]


def _cifar(name: str) -> Target:
    run = partial(
        _collection, name=name, spec="cifar100:", others={key: _OTHERS[key] for key in _OTHERS if key != name}
    )
    seeds = [pickle.dumps(CIFAR[name], protocol) for protocol in (2, 4)]
    return Target(f"cifar-{name}", run, lambda: seeds)


_CSV: Final = [*_endings(".csv"), b"\xef\xbb\xbfimage;class\na.png;x\n", "path\tlabel\na\tü\n".encode("utf-16")]
FILES: Final = (
    Target("npy", partial(_collection, name="a.npy"), lambda: _endings(".npy")),
    Target("npz", partial(_collection, name="a.npz"), lambda: _endings(".npz"), mebibytes=256),
    Target("csv", partial(_collection, name="a.csv"), lambda: _CSV),
    Target("parquet", partial(_collection, name="a.parquet"), _tables, mebibytes=256),
    Target("tar", partial(_collection, name="a.tar"), _shards),
    Target("parts", partial(_collection, name=_META, spec="/", others=_PARTS), lambda: _endings(".parquet")),
    _cifar("meta"),
    _cifar("test"),
)
SETTINGS: Final = (
    Target("schedule", _schedule, _texts(*sorted(_EXPERIMENTS.glob("*.toml")))),
    Target("made-schedule", _schedule, lambda: [SINGLE_CARRIER.encode(), OFDM.encode()]),
    Target("trace", lambda data: read_trace(_written(data, "t.csv", {}) / "t.csv"), _texts(_EXPERIMENTS / "train.csv")),
    Target(
        "scenario",
        lambda data: load_scenario(_written(data, "e.toml", {}) / "e.toml"),
        _texts(*sorted(SHIPPED.glob("*.toml"))),
        seconds=10,
    ),
    Target(
        "tokens",
        lambda data: TokenBook(_written(data, "tokens", {}) / "tokens"),
        lambda: [f"a send,observe sha256:{digest_of('x').hex()} rate=5 bytes=1000\n# no\n".encode()],
    ),
    Target("recording", _recording, lambda: [_recorded()[0]]),
    Target("archive", lambda data: read_recording(_written(data, "r.sigmf", {}) / "r.sigmf"), _archived),
)
PICTURES: Final = (Target("picture", _picture, _pictures, seconds=20, mebibytes=512),)
