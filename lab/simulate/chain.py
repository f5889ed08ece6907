"""Payloads through the channel to the receiver's decoder, many bursts at a time.

payloads --place pilots--> bursts --power checked, Link--> received bursts --estimate, equalize--> x_hat, n0_eff

Each step is the function that the service itself calls, so a burst comes out as it does live, bit for bit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from channel_proxy.relay import as_received
from receiver.decoder import Equalized, equalize_bursts
from receiver.settings import ReceiverSettings
from shared.frame.burst import Burst, CodecSpec, Csi
from shared.phy import ChannelSettings, EqualizerName, Link, PilotPattern, Sending, Transmission, place_pilots
from shared.phy.channel.conditions import Conditions
from shared.phy.power import check_power
from shared.types import Complex, Ints

Override = Mapping[str, Any]
"""Fields of ChannelSettings."""

PILOTS: Final = 8
EQUALIZER: Final[EqualizerName] = ReceiverSettings.model_fields["equalizer"].default
_TOGETHER: Final = 256  # bursts computed together: the arrays stay in the cache
_NO_CODEC: Final = CodecSpec("", 0, "", "")  # neither channel nor equalizer asks for one


@dataclass(frozen=True, slots=True)
class Chain:
    """How bursts are sent and received.

    conditions: the channel, constant or by a schedule; a burst's own settings go before them. csi: what the receiver
    knows. pilots: of each burst; taken only with csi pilot. equalizer: for codecs that name none.
    """

    conditions: Conditions
    csi: Csi = "pilot"
    pilots: int = PILOTS
    pilot_pattern: PilotPattern = "preamble"
    equalizer: EqualizerName = EQUALIZER

    @property
    def channel(self) -> ChannelSettings:
        """The settings in force before any schedule."""
        return self.conditions.settings

    def bursts(self, payloads: Complex, counters: Ints, overrides: Sequence[Override] | None = None) -> list[Burst]:
        """Bursts as a transmitter sends them.

        payloads: [B, n], complex64. counters: [B], numbers of the draws, stream 0. overrides: [B], channel settings of
        each burst's own.
        """
        pilots = self.pilots if self.csi == "pilot" else 0
        pattern: PilotPattern = self.pilot_pattern if pilots else "preamble"
        own = overrides or [{}] * len(payloads)
        return [
            Burst(
                burst_id=counter,
                stream=0,
                counter=counter,
                codec=_NO_CODEC,
                pilot_symbols=pilots,
                symbols=place_pilots(payload, pilots, pattern),
                csi=self.csi,
                channel_override=override,
                pilot_pattern=pattern,
            )
            for payload, counter, override in zip(payloads, counters.tolist(), own, strict=True)
        ]

    def carry(
        self,
        payloads: Complex,
        counters: Ints,
        equalizer: EqualizerName | None = None,
        *,
        overrides: Sequence[Override] | None = None,
        joint: bool = False,
    ) -> Equalized:
        """Send a burst for each payload. Raises InvalidSymbols for one that has not unit mean power.

        payloads: [B, n], complex64. counters: [B]. equalizer: the one that the decoder is made for; None for the
        receiver's own. overrides: see `bursts`. joint: the payloads are one transmission, with unit power in the mean
        over all of them only.
        """
        bursts = self.bursts(payloads, counters, overrides)
        for symbols in [payloads] if joint else [burst.symbols for burst in bursts]:
            check_power(symbols)
        return equalize_bursts([burst for burst, _ in transmit(bursts, self.conditions)], equalizer or self.equalizer)


def channel_chain(settings: ChannelSettings, **fields: Any) -> Chain:
    """The chain of a channel that stays as it is. fields: as in `Chain`."""
    return Chain(Conditions(settings), **fields)


def transmit(bursts: Iterable[Burst], conditions: Conditions) -> Iterator[tuple[Burst, Transmission]]:
    """Each burst as the receiver gets it, and what the channel did; those of one link and length computed together."""
    supply = iter(bursts)
    while batch := list(islice(supply, _TOGETHER)):
        links = [conditions.link(burst.symbols.size, burst.counter, burst.channel_override) for burst in batch]
        for burst, passed in zip(batch, _passed(batch, links), strict=True):
            yield as_received(burst, passed), passed


def _passed(bursts: Sequence[Burst], links: Sequence[Link]) -> list[Transmission]:
    groups: dict[tuple[int, int], list[int]] = {}
    for row, (burst, link) in enumerate(zip(bursts, links, strict=True)):
        groups.setdefault((id(link), burst.symbols.size), []).append(row)
    passed: dict[int, Transmission] = {}
    for rows in groups.values():
        sendings = [Sending(bursts[row].symbols, bursts[row].stream, bursts[row].counter) for row in rows]
        passed |= zip(rows, links[rows[0]].transmit_many(sendings), strict=True)
    return [passed[row] for row in range(len(bursts))]
