"""What travels over the air: one burst of complex symbols and its header."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from shared.phy import Grid, PilotPattern, payload_positions
from shared.types import Complex

Csi = Literal["none", "pilot", "perfect"]


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

    stream, counter: with the channel's seed, the name of the random draw. symbols: [pilots + payload], complex64, unit
    mean power when sent. timeout_seconds: what is left of the request's deadline, 0 for none. channel_override: fields
    of ChannelSettings for this burst alone. session: of bursts that make up one codeword, 0 for a burst alone;
    offset_symbols: payload of the earlier ones; required_posterior: below it the receiver requests more, 0 for never.
    question: what the receiver is asked about the picture; whoever asks sits there.
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
    question: str = ""

    @property
    def payload_symbols(self) -> int:
        """Symbols without the pilots."""
        return self.symbols.size - self.pilot_symbols

    @property
    def payload(self) -> Complex:
        """The symbols without the pilots."""
        if self.pilot_pattern == "preamble":
            return self.symbols[self.pilot_symbols :]
        return self.symbols[self.payload_positions]

    @property
    def payload_positions(self) -> npt.NDArray[np.intp]:
        """Where the payload stands among the symbols."""
        return payload_positions(self.pilot_symbols, self.symbols.size, self.pilot_pattern)
