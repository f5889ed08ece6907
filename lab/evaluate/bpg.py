"""BPG by its own programs, `bpgenc` and `bpgdec` (bellard.org/bpg), where they are installed: `bpg-ldpc`.

In the laboratory only: a process for each picture is too slow for a service. Where the programs are not installed, HEVC
intra in HEIF (`hevc-ldpc`) stands for it: the same coding in a larger box.
"""

import subprocess
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import ClassVar, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from shared.codecs.picture.formats import Format
from shared.codecs.picture.ldpc import PictureLdpc
from shared.errors import NotFound
from shared.types import Pixels

_COARSEST_QP: Final = 51
_SECONDS: Final = 60


class Bpg(Format):
    """Quality 0 is the quantizer parameter 51, quality 100 would be 0."""

    def require(self) -> None:
        """Raise NotFound naming the programs where one is not installed."""
        missing = [program for program in ("bpgenc", "bpgdec") if which(program) is None]
        if missing:
            raise NotFound(
                f"BPG needs {' and '.join(missing)}, not found on the PATH: install libbpg from bellard.org/bpg, or "
                "compare with hevc-ldpc, which is the same coding"
            )

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        """See `Format.encode`."""
        self.require()
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "picture.png"), Path(folder, "picture.bpg")
            Image.fromarray(pixels).save(source)
            parameter = round(_COARSEST_QP * (1 - quality / 100))
            _run("bpgenc", "-q", str(parameter), "-f", "420", "-m", "9", "-o", str(target), str(source))
            return target.read_bytes()

    def decode(self, data: bytes) -> Pixels | None:
        """See `Format.decode`."""
        self.require()
        with TemporaryDirectory() as folder:
            source, target = Path(folder, "picture.bpg"), Path(folder, "picture.png")
            source.write_bytes(data)
            try:
                _run("bpgdec", "-o", str(target), str(source))
                with Image.open(target) as picture:
                    return np.asarray(picture.convert("RGB"))
            except (OSError, subprocess.SubprocessError, UnidentifiedImageError):
                return None  # damaged bytes are what the channel delivers


def bpg_header_bytes(data: bytes) -> int:
    """Bytes before the slices: magic, flags, sizes, extensions, HEVC header. BPG specification 0.9.5, section 3.1."""
    has_alpha, has_extension = bool(data[4] & 0x10 or data[5] & 0x04), bool(data[5] & 0x08)
    at = 6
    for _ in ("width", "height", "length of the picture's data"):
        _, at = _number(data, at)
    for _ in range(has_extension + has_alpha + 1):  # each a length, and as many bytes
        length, at = _number(data, at)
        at += length
    return at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """ue7: seven bits in each byte, the highest first; the last byte is below 128. The number, and where it ends."""
    value = 0
    while data[at] & 0x80:
        value, at = value << 7 | data[at] & 0x7F, at + 1
    return value << 7 | data[at], at + 1


def _run(program: str, *arguments: str) -> None:
    subprocess.run([program, *arguments], check=True, capture_output=True, timeout=_SECONDS)


class BpgLdpc(PictureLdpc):
    """BPG over LDPC and QAM. Its rate is chosen as that of HEVC, which is what it holds."""

    name: ClassVar[str] = "bpg-ldpc"
    kind: ClassVar[str] = "hevc"
    format: ClassVar[Format] = Bpg("BPG", (), bpg_header_bytes)
    lengths: ClassVar[tuple[int, ...]] = (1024, 2048, 4096, 8192)
    default_k: ClassVar[int] = 4096
