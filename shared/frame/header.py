"""The header of framing `explicit`: fields to bits to coded symbols, and back.

    first round   version 2 | codec 5 | length 4 | mode 6 | session 10 | round 3 | sequence 4 | CRC 16     50 bits
    later rounds              codec 5                       session 10 | round 3 | sequence 4 | CRC 16     38 bits

The lengths of the classes were measured so that at their design SNR, without fading, at most 1 % of headers are lost:
`tests/shared/frame/test_header.py` does so again, and docs/air.md tells what the best possible code would need.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

from shared.errors import Exhausted, InvalidSetting
from shared.frame.burst import CodecSpec, Csi, LinkConfiguration
from shared.phy.polar import PolarCode
from shared.types import Bits, Complex

VERSION: Final = 1
SESSIONS: Final = 1 << 10
"""Numbers of sessions: as many pictures can be on their way in rounds."""
_WIDTHS: Final[tuple[int, ...]] = (2, 5, 4, 6, 10, 3, 4)
_LATER: Final = (1, 4, 5, 6)
"""Places of the fields that later rounds send.

Of noise the CRC lets one in 700 pass, at all turns of the phase together. What a receiver knows of the fields, that is
the codec and which rounds there are, makes of that one in 30,000 (9 of 280,000 measured, docs/air.md).
"""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says.

    version: of the fields. codec: `codec_number`. length: place of the codec's length in the configuration. mode: see
    `BaseCodec.mode`. session: of a picture in rounds, modulo `SESSIONS`. round: of the session. sequence: of the
    bursts, modulo 16.
    """

    version: int
    codec: int
    length: int
    mode: int
    session: int
    round: int
    sequence: int


class HeaderClass(NamedTuple):
    """Lengths of the two headers, symbols, that are designed for an SNR, dB."""

    snr_db: float
    symbols: int
    short_symbols: int


CLASSES: Final = (
    HeaderClass(-10, 704, 536),
    HeaderClass(-7, 352, 268),
    HeaderClass(-4, 184, 138),
    HeaderClass(-2, 124, 93),
    HeaderClass(0, 84, 66),
    HeaderClass(4, 50, 40),
    HeaderClass(7, 36, 33),
)

_STEPS: Final = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6)
PHASE_TURNS: Final[dict[Csi, tuple[np.complex64, ...]]] = {
    "pilot": tuple(np.exp(1j * np.pi / 6 * np.array(_STEPS)).astype(np.complex64)),
    "none": (np.complex64(1),),
    "perfect": (np.complex64(1),),
}
"""Turns of the phase at which a coded field is looked for, by what the receiver knows of the channel.

A few pilots at a low SNR leave the phase open. So what cannot be decoded is turned, by 30 degrees and more: the CRC
tells the right turn, and the field is its own pilot.
"""

NO_HEADER: Final = HeaderClass(np.inf, 0, 0)
_NOTHING: Final = np.empty(0, np.complex64)


def header_class(design_snr_db: float) -> HeaderClass:
    """The shortest class whose design SNR is not above the sender's; below -10 dB the longest."""
    place = bisect_right([each.snr_db for each in CLASSES], design_snr_db + 1e-9) - 1
    return CLASSES[max(place, 0)]


class Sessions:
    """Numbers for the sessions of pictures that are on their way in rounds."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    @contextmanager
    def number(self, wanted: int) -> Iterator[int]:
        """A number that no other picture has meanwhile: `wanted` modulo 1024, or the next one that is free.

        Raises Exhausted where there is none.
        """
        free = next((n for n in range(wanted, wanted + SESSIONS) if n % SESSIONS not in self._taken), None)
        if free is None:
            raise Exhausted(f"{SESSIONS} pictures are on their way in rounds, as many as a header can tell apart")
        self._taken.add(free % SESSIONS)
        try:
            yield free % SESSIONS
        finally:
            self._taken.discard(free % SESSIONS)


def session_of(configuration: LinkConfiguration, number: int) -> int:
    """The name of a session whose number headers tell, among those of all configurations."""
    return configuration.version * SESSIONS + number + 1


def header_of(
    configuration: LinkConfiguration | None, codec: CodecSpec, session: int, number: int, counter: int
) -> Complex:
    """The header of round `number` of a session, as symbols: [n], complex64; none without framing explicit.

    counter: of the burst, of which its last bits are told.
    """
    if configuration is None or not configuration.header_symbols:
        return _NOTHING
    lengths = [each.k for each in configuration.codecs]
    length = 0 if configuration.in_rounds else lengths.index(codec.k)
    sequence = counter % (1 << _WIDTHS[-1])
    header = Header(VERSION, codec_number(codec.codec), length, codec.mode, session, number, sequence)
    short = configuration.is_later_round(number)
    return encode_header(header, configuration.header_symbols_of(number), short=short)


def codec_number(name: str) -> int:
    """The 5 bits that tell one codec from another."""
    return crc32(name.encode()) & 31


def encode_header(header: Header, symbols: int, *, short: bool) -> Complex:
    """A header as `symbols` symbols of unit power: [symbols], complex64. short: whether to encode one of a later round.

    Raises InvalidSetting for a number that its bits cannot hold.
    """
    fields: Sequence[int] = astuple(header)
    widths: Sequence[int] = _WIDTHS
    for name, value, width in zip(Header.__dataclass_fields__, fields, widths, strict=True):
        if not 0 <= value < 1 << width:
            raise InvalidSetting(f"{name} = {value} of a header: it has {width} bits; use framing implicit")
    if short:
        fields, widths = [fields[place] for place in _LATER], [widths[place] for place in _LATER]
    bits = [value >> place & 1 for value, width in zip(fields, widths, strict=True) for place in reversed(range(width))]
    x: Complex = PolarCode(len(bits), symbols).encode(np.array([bits], np.uint8))[0]
    return x


def decode_headers(matched: Complex, symbols: int, *, short: bool) -> list[Header | None]:
    """Headers of matched-filter outputs conj(h) y [B, n]; None for those whose CRC fails.

    symbols: of the header, the first ones. short: whether to look for one of a later round.
    """
    places = _LATER if short else tuple(range(len(_WIDTHS)))
    code = PolarCode(sum(_WIDTHS[place] for place in places), symbols)
    if matched.shape[1] < symbols:
        return [None] * len(matched)
    messages, right = code.decode(matched[:, :symbols])
    return [_header(bits, places) if ok else None for bits, ok in zip(messages, right.tolist(), strict=True)]


def header_fits(header: Header, configuration: LinkConfiguration, *, short: bool) -> bool:
    """Whether a header can be one of a configuration; what else its CRC let pass is none."""
    lengths = len(configuration.codecs)
    if header.codec != codec_number(configuration.codecs[0].codec):
        return False
    if short:
        return 0 < header.round < lengths
    return header.version == VERSION and header.length < lengths and (configuration.questions or header.round == 0)


def _header(bits: Bits, places: Sequence[int]) -> Header:
    """The fields at `places`, of their bits; the others are 0."""
    values, start = [0] * len(_WIDTHS), 0
    for place in places:
        values[place] = int("".join(map(str, bits[start : start + _WIDTHS[place]].tolist())), 2)
        start += _WIDTHS[place]
    return Header(*values)
