"""What travels over the air: one burst of complex symbols, and what describes them.

framing    | what a burst is, the receiver is told by             | on the air for it
ideal      | a genie: fields of the message, without errors       | nothing; 16 symbols are counted
implicit   | a configuration that both ends hold (`Configure`)    | nothing in the burst
explicit   | a coded header in the burst, see `shared.frame.header` | its symbols; it can be lost
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from shared.phy import Grid, PilotPattern, payload_positions
from shared.types import Complex

Csi = Literal["none", "pilot", "perfect"]
Framing = Literal["ideal", "implicit", "explicit"]
AcceptedFraming = Literal["any", "ideal", "implicit", "explicit"]

IDEAL_HEADER_SYMBOLS: Final = 16
"""Channel uses that are counted, and not sent, for the header of a burst with framing `ideal`."""
ATTEMPTS: Final = 16
"""Transmissions of a block that can be told apart: a header has 4 bits for its sequence."""
_HEARD: Final = ("burst_id", "symbols", "timeout_seconds", "genie", "grid", "framing", "question")
_HEARD_WITH: Final[dict[Framing, tuple[str, ...]]] = {
    "implicit": ("configuration", "session", "round", "attempt"),
    "explicit": ("configuration",),
    "ideal": (
        "codec", "csi", "pilot_symbols", "pilot_pattern", "header_symbols", "question_symbols", "top_k", "trace",
        "session", "round", "offset_symbols", "required_posterior", "attempt",
    ),
}  # fmt: skip
"""Fields of a burst that a receiver may get, by framing, beside those that it always gets."""
_HEARD_NAMES: Final = {framing: (*_HEARD, *names) for framing, names in _HEARD_WITH.items()}


def burst_name(burst_id: int) -> str:
    """A burst id as logs and answers name it: 16 hexadecimal digits, which no reader of JSON rounds."""
    return f"{burst_id:016x}"


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """A codec of one length, and the CLIP model that its embeddings come from.

    mode: of a burst, see `BaseCodec.mode`; 0 for a codec that has only one.
    """

    codec: str
    k: int
    fingerprint: str
    clip_fingerprint: str
    mode: int = 0


NO_CODEC: Final = CodecSpec("", 0, "", "")
"""Of a burst whose receiver was not told its codec."""
_UNKNOWN: Final[Mapping[str, Any]] = {"stream": 0, "counter": 0, "codec": NO_CODEC, "pilot_symbols": 0, "csi": "none"}


@dataclass(frozen=True, slots=True)
class Genie:
    """The truth about the channel, which a real receiver would not have.

    gain: [1], complex64, of the whole burst, or [pilots + payload], of each symbol. n0: noise power per complex symbol.
    """

    gain: Complex
    n0: float


@dataclass(frozen=True, slots=True)
class Burst:
    """One image on the air.

    stream, counter: with the channel's seed, the name of the random draw; a receiver never gets them. symbols: [pilots
    + header + payload], complex64, unit mean power when sent. timeout_seconds: what is left of the request's deadline,
    0 for none. channel_override: fields of ChannelSettings for this burst alone. session: of bursts that make up one
    codeword, or are questions about one picture, 0 for a burst alone; offset_symbols: payload of the earlier ones;
    required_posterior: below it the receiver requests more, 0 for never. configuration: version of the
    `LinkConfiguration` that it was sent by, 0 for framing ideal. round: which HARQ round, or which question. attempt:
    which transmission of the same block, 0 to 15.
    header_symbols: the first symbols beside the pilots, a coded header. question_symbols: the first ones of the payload
    are a coded question, for a receiver that does not know it. question: what is asked, for one that does.
    """

    burst_id: int
    stream: int
    counter: int
    codec: CodecSpec
    pilot_symbols: int
    symbols: Complex
    csi: Csi
    timeout_seconds: float = 0.0
    top_k: int = 5
    trace: bool = False
    channel_override: Mapping[str, Any] = field(default_factory=dict)
    genie: Genie | None = None
    pilot_pattern: PilotPattern = "preamble"
    grid: Grid | None = None
    session: int = 0
    offset_symbols: int = 0
    required_posterior: float = 0.0
    framing: Framing = "ideal"
    configuration: int = 0
    round: int = 0
    header_symbols: int = 0
    question_symbols: int = 0
    question: str = ""
    attempt: int = 0

    @property
    def payload_symbols(self) -> int:
        """Symbols without pilots and header."""
        return self.symbols.size - self.pilot_symbols - self.header_symbols

    @property
    def payload(self) -> Complex:
        """The symbols without pilots and header."""
        if self.pilot_pattern == "preamble":
            return self.symbols[self.pilot_symbols + self.header_symbols :]
        return self.symbols[self.payload_positions]

    @property
    def payload_positions(self) -> npt.NDArray[np.intp]:
        """Where the payload stands among the symbols."""
        return payload_positions(self.pilot_symbols, self.symbols.size, self.pilot_pattern)[self.header_symbols :]

    @property
    def unsent_symbols(self) -> int:
        """Channel uses that are counted and not sent: the header of framing ideal."""
        return IDEAL_HEADER_SYMBOLS if self.framing == "ideal" else 0

    def heard(self, **arrived: Any) -> "Burst":
        """The burst made anew of what a receiver may get: see `_HEARD_WITH`; all else has no value.

        arrived: values of fields in place of this burst's.
        """
        names = _HEARD_NAMES[self.framing]
        known = {name: arrived[name] if name in arrived else getattr(self, name) for name in names}
        return Burst(**{**_UNKNOWN, **known})


@dataclass(frozen=True, slots=True)
class LinkConfiguration:
    """What both ends agree on before bursts are sent; a receiver acknowledges it.

    version: its name. framing: implicit or explicit. codecs: implicit: of each HARQ round, with its mode; explicit: the
    lengths of one codec, of which each header names one. required_posteriors: of each round, see
    `transmitter.harq.required_posteriors`. header_symbols, short_header_symbols: of the first round's header and of the
    later ones, 0 without headers. top_k, trace: what the receiver answers. questions: bursts of one session are
    questions about one picture, `Burst.round` is which one, and the receiver holds what arrived. question_symbols: of
    each burst, see `Burst`.
    """

    version: int
    framing: Framing
    codecs: tuple[CodecSpec, ...]
    required_posteriors: tuple[float, ...]
    csi: Csi
    pilot_symbols: int = 0
    pilot_pattern: PilotPattern = "preamble"
    top_k: int = 5
    trace: bool = False
    header_symbols: int = 0
    short_header_symbols: int = 0
    questions: bool = False
    question_symbols: int = 0

    @property
    def in_rounds(self) -> bool:
        """Whether pictures are sent in rounds (HARQ)."""
        return any(self.required_posteriors)

    def header_symbols_of(self, number: int) -> int:
        """Symbols of the header of round `number`; 0 without headers."""
        return self.short_header_symbols if self.is_later_round(number) else self.header_symbols

    def is_later_round(self, number: int) -> bool:
        """Whether burst `number` of a session is a later HARQ round, which has the short header; no question is."""
        return number > 0 and not self.questions
