"""Recordings of the channel in SigMF, the format that radio people's tools open (https://sigmf.org).

    NAME.sigmf-data   the received symbols of all bursts, one after the other: complex64, little endian
    NAME.sigmf-meta   JSON: the symbol rate, and an annotation for each burst with its place and its header

With the symbols as they were sent there is a second recording, NAME-sent, of the same places. An infinity, which JSON
does not know, is written as "inf". Received symbols of OFDM are those of its subcarriers.
"""

import math
import warnings
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any, Final, Self

import numpy as np

from shared.errors import DataLoss, InvalidInput, InvalidSetting, NotFound
from shared.files import readable, require_regular
from shared.frame.burst import Burst, CodecSpec, Genie
from shared.frame.channel_records import RecordedBurst
from shared.frame.reception import ChannelReport
from shared.frame.symbols import pack_symbols
from shared.local_path import local_path
from shared.phy import ChannelSettings, Grid
from shared.printable import first_line
from shared.types import Complex
from shared.version import VERSION

_MOST_BYTES: Final = 8 << 30  # of a recording, which is read whole
_PREFIX: Final = "semlink:"
_EXTENSION: Final = {"name": "semlink", "version": "1.0.0", "optional": True}
_DATA, _META, _ARCHIVE, _SENT = ".sigmf-data", ".sigmf-meta", ".sigmf", "-sent"
_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK", b"\x28\xb5\x2f\xfd")
"""Beginnings of gzip, bzip2, xz, zip and zstd."""
_RECEIVED_TEXT, _SENT_TEXT = "symbols as the receiver got them", "symbols as they were sent"
_SAME = ("burst_id", "stream", "counter", "pilot_pattern", "csi", "top_k", "session", "offset_symbols")
_BURST: Final = {name: name for name in _SAME} | {"pilots": "pilot_symbols", "wanted_certainty": "required_posterior"}
"""Names in the file, and fields of a burst."""
_RARE: Final = ("round", "attempt", "header_symbols", "question_symbols", "question")
"""Fields of a burst that are in the file where they have a value."""
_REPORT: Final = ("snr_db_achieved", "signal_power", "noise_power", "seconds", "papr_db")


class RecordingWriter:
    """Writes bursts as they pass; the metadata are written at the end of its context.

    name: path without suffix. sent: write what was sent too. bursts, lost, symbols: how many so far.
    Raises InvalidSetting when the recording exists already, NotFound when the library is not installed.
    """

    def __init__(self, name: str | Path, *, sent: bool = False) -> None:
        _sigmf()  # now, rather than when all is recorded
        self._names = [Path(name), *([_with(Path(name), _SENT)] if sent else [])]
        self.bursts = self.lost = self.symbols = 0
        self.files: list[str] = []
        self._annotations: list[dict[str, Any]] = []
        self._rate_hz = 0.0

    def __enter__(self) -> Self:
        for name in self._names:
            for suffix in (_DATA, _META):
                if _with(name, suffix).exists():
                    raise InvalidSetting(f"{_with(name, suffix)} exists already: choose another name, or remove it")
        self._names[0].parent.mkdir(parents=True, exist_ok=True)
        self._data: list[IO[bytes]] = [_with(name, _DATA).open("wb") for name in self._names]
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._data:
            file.close()
        for name, text in zip(self._names, (_RECEIVED_TEXT, _SENT_TEXT), strict=False):
            if self.bursts:
                self._write_metadata(name, text)
            else:  # a recording of nothing is no recording
                _with(name, _DATA).unlink()

    def add(self, recorded: RecordedBurst) -> None:
        """Write one burst. Raises InvalidSetting when its sent symbols are wanted and not there."""
        parts = [recorded.burst.symbols, recorded.sent][: len(self._data)]
        for file, symbols in zip(self._data, parts, strict=True):
            if symbols is None:
                raise InvalidSetting("a burst without its sent symbols: ask the channel for them, record(sent=True)")
            file.write(pack_symbols(symbols))
        self._rate_hz = self._rate_hz or recorded.report.settings.symbol_rate_hz
        self._annotations.append(_annotation(recorded, self.symbols))
        self.bursts += 1
        self.lost += recorded.lost
        self.symbols += recorded.burst.symbols.size

    def _write_metadata(self, name: Path, text: str) -> None:
        metadata = {
            "global": {
                "core:datatype": "cf32_le",
                "core:sample_rate": self._rate_hz,
                "core:description": f"SemLink: {text}",
                "core:recorder": f"SemLink {VERSION}",
                "core:extensions": [_EXTENSION],
            },
            "captures": [{"core:sample_start": 0}],
            "annotations": self._annotations,
        }
        recording = _sigmf().SigMFFile(metadata=metadata, data_file=str(_with(name, _DATA)))
        recording.tofile(str(_with(name, _META)))  # validates
        self.files += [str(_with(name, suffix)) for suffix in (_DATA, _META)]


def read_recording(name: str | Path) -> list[RecordedBurst]:
    """The bursts of a recording, with what was sent where that was recorded.

    name: path, with or without suffix, or of an archive. Raises NotFound for one that is not there, DataLoss for one
    that is damaged, InvalidInput for one that was not made by SemLink.
    """
    path = local_path(name)
    path = path.with_suffix("") if path.suffix in (_DATA, _META) else path
    annotations, received = _read(path)
    own = [each for each in annotations if any(key.startswith(_PREFIX) for key in each)]
    if not own:
        raise InvalidInput(
            f"{path} is a SigMF recording, but not of SemLink: none of its {len(annotations)} annotations says "
            f"{_PREFIX}burst_id and the other names of a burst's header; `semlink channel record` makes such recordings"
        )
    sent = _read(_with(path, _SENT))[1] if _with(_with(path, _SENT), _META).exists() else None
    return [_checked(path, number, annotation, received, sent) for number, annotation in enumerate(own, 1)]


def _checked(
    path: Path, number: int, annotation: dict[str, Any], received: Complex, sent: Complex | None
) -> RecordedBurst:
    try:
        return _recorded(annotation, received, sent)
    except KeyError as error:
        raise DataLoss(f"{path}: burst {number} of the recording lacks {_PREFIX}{error.args[0]}") from error
    except Exception as error:  # a stranger's file may hold anything in any field
        raise DataLoss(f"{path}: burst {number} of the recording cannot be read: {first_line(error)}") from error


def _annotation(recorded: RecordedBurst, start: int) -> dict[str, Any]:
    burst, report, genie = recorded.burst, recorded.report, recorded.burst.genie
    own = {
        **{name: getattr(burst, field) for name, field in _BURST.items()},
        **{name: value for name in _RARE if (value := getattr(burst, name))},
        **asdict(burst.codec),
        "grid": None if burst.grid is None else list(burst.grid),
        "genie": None if genie is None else {"gain": _pairs(genie.gain), "n0": genie.n0},
        "settings": report.settings.model_dump(exclude_defaults=True),
        **{name: getattr(report, name) for name in _REPORT},
        "gain": [report.gain.real, report.gain.imag],
        "air_symbols": report.air_symbols,
        "lost": recorded.lost,
    }
    return {
        "core:sample_start": start,
        "core:sample_count": int(burst.symbols.size),
        "core:label": f"burst {burst.counter}",
        **{f"{_PREFIX}{name}": _strict(value) for name, value in own.items() if value is not None},
    }


def _recorded(annotation: dict[str, Any], received: Complex, sent: Complex | None) -> RecordedBurst:
    start = annotation["core:sample_start"]
    count = annotation.get("core:sample_count", len(received) - start)  # without it: to the end
    found = {name.removeprefix(_PREFIX): value for name, value in annotation.items() if name.startswith(_PREFIX)}
    genie, grid = found.get("genie"), found.get("grid")
    burst = Burst(
        **{field: found[name] for name, field in _BURST.items()},
        **{name: found[name] for name in _RARE if name in found},
        codec=CodecSpec(**{field.name: found[field.name] for field in fields(CodecSpec)}),
        symbols=received[start : start + count],
        genie=None if genie is None else Genie(_symbols(genie["gain"]), float(genie["n0"])),
        grid=None if grid is None else Grid(*grid),
    )
    report = ChannelReport(
        settings=ChannelSettings().updated(**found["settings"]),
        stream=burst.stream,
        counter=burst.counter,
        gain=complex(*found["gain"]),
        air_symbols=found["air_symbols"],
        **{name: float(found[name]) for name in _REPORT},
    )
    return RecordedBurst(burst, None if sent is None else sent[start : start + count], report, found["lost"])


def _read(path: Path) -> tuple[list[dict[str, Any]], Complex]:
    """Annotations and samples [N], of any data type of SigMF; fixed-point samples are scaled to -1 to 1.

    path: of a pair of files, without suffix, or of an archive, NAME.sigmf.
    """
    file = _file(path)
    sigmf = _sigmf()
    unreadable = f"{file} is no SigMF recording that can be read"
    with readable(unreadable, DataLoss, "make it again, or restore a copy"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples past the end and the like, by lines of the library's source
        for part in (file, _with(path, _DATA)):
            if part.exists():
                require_regular(part, _MOST_BYTES)
        if file.suffix == _ARCHIVE:
            _require_plain(file)
        recording = sigmf.fromfile(str(file))  # checks the data against their sum
        samples = np.asarray(recording.read_samples())
        annotations = recording.get_annotations()
    if samples.ndim != 1 or not np.iscomplexobj(samples):
        kind = "real samples" if samples.ndim == 1 else f"{samples.shape[1]} channels"
        raise InvalidInput(
            f"{file} is a SigMF recording, but not of SemLink: it has {kind}; bursts are complex, of one"
        )
    return annotations, samples.astype(np.complex64)


def _file(path: Path) -> Path:
    """The metadata or the archive of a recording. Raises NotFound, and InvalidInput for other files."""
    if path.is_dir() and not (path.name and _with(path, _META).exists()):
        raise InvalidInput(f"{path} is a folder: name a recording in it, with or without {_META}")
    file = path if path.suffix == _ARCHIVE else _with(path, _META)
    if not file.exists() and _with(path, _ARCHIVE).exists():
        file = _with(path, _ARCHIVE)
    if file.exists():
        return file
    if path.is_file():
        raise InvalidInput(
            f"{path} is no SigMF recording: give one by its name, NAME{_META} or an archive, NAME{_ARCHIVE}; unpack "
            "what is compressed, and name each recording of a collection by itself"
        )
    raise NotFound(f"{file}: there is no such recording")


def _require_plain(archive: Path) -> None:
    """Raise InvalidInput for a compressed archive, at which the library would never end."""
    with archive.open("rb") as file:
        if file.read(6).startswith(_COMPRESSED):
            raise InvalidInput(f"{archive} is compressed, and a SigMF archive is a plain tar: unpack it first")


def _sigmf() -> Any:
    try:
        import sigmf  # noqa: PLC0415 - not in the light install
        import sigmf.error  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotFound(f"recordings need {error.name}, which is not installed: pip install 'semlink[sigmf]'") from error
    return sigmf


def _strict(value: Any) -> Any:
    """A value that JSON can hold."""
    if isinstance(value, dict):
        return {name: _strict(part) for name, part in value.items()}
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _pairs(symbols: Complex) -> Any:
    return np.stack([symbols.real, symbols.imag], axis=-1).tolist()


def _symbols(pairs: list[list[float]]) -> Complex:
    return np.array([complex(*pair) for pair in pairs], np.complex64)


def _with(name: Path, suffix: str) -> Path:
    return name.with_name(name.name + suffix)
