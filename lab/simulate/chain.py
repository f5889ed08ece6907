"""Payloads through the channel to the receiver's decoder, many bursts at a time.

payloads --header, pilots--> bursts --power checked, Link--> received bursts --estimate, equalize--> x_hat, n0_eff
                                                                 '--receiver's deframer--> headers that were lost

Each step is the function that the service itself calls, so a burst comes out as it does live, bit for bit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from channel_proxy.relay import as_received
from receiver.decoder import Equalized, equalize_bursts
from receiver.framing import Deframer
from receiver.settings import ReceiverSettings
from shared.codecs.base.contract import DEFAULT_DESIGN_SNR_DB
from shared.frame.burst import NO_CODEC, Burst, CodecSpec, Csi, Framing, LinkConfiguration
from shared.frame.header import NO_HEADER, header_class, header_of
from shared.phy import ChannelSettings, EqualizerName, Link, PilotPattern, Sending, Transmission, place_pilots
from shared.phy.channel.conditions import Conditions
from shared.phy.power import check_power
from shared.types import Bools, Complex, Ints

Override = Mapping[str, Any]
"""Fields of ChannelSettings."""

PILOTS: Final = 8
EQUALIZER: Final[EqualizerName] = ReceiverSettings.model_fields["equalizer"].default
_TOGETHER: Final = 256  # bursts computed together: the arrays stay in the cache


class Headers(NamedTuple):
    """What became of headers: [M] each. lost: not read. undetected: read as another one."""

    lost: Bools
    undetected: Bools


@dataclass(frozen=True)
class Carried(Equalized):
    """Payloads of a batch, also of bursts whose header was lost; None without headers on the air."""

    headers: Headers | None


@dataclass(frozen=True, slots=True)
class Chain:
    """How bursts are sent and received.

    conditions: the channel, constant or by a schedule; a burst's own settings go before them. csi: what the receiver
    knows. pilots: of each burst; taken only with csi pilot. equalizer: for codecs that name none. framing: how the
    receiver learns what a burst is; header_snr_db: with framing explicit, the SNR that headers are designed for, dB.
    """

    conditions: Conditions
    csi: Csi = "pilot"
    pilots: int = PILOTS
    pilot_pattern: PilotPattern = "preamble"
    equalizer: EqualizerName = EQUALIZER
    framing: Framing = "implicit"
    header_snr_db: float = DEFAULT_DESIGN_SNR_DB

    @property
    def channel(self) -> ChannelSettings:
        """The settings in force before any schedule."""
        return self.conditions.settings

    def configuration(self, codecs: Sequence[CodecSpec], required_posteriors: Sequence[float]) -> LinkConfiguration:
        """What both ends hold. codecs, required_posteriors: of each round, or the lengths that headers choose from."""
        pilots = self.pilots if self.csi == "pilot" else 0
        header = header_class(self.header_snr_db) if self.framing == "explicit" else NO_HEADER
        return LinkConfiguration(
            version=1,
            framing=self.framing,
            codecs=tuple(codecs),
            required_posteriors=tuple(required_posteriors),
            csi=self.csi,
            pilot_symbols=pilots,
            pilot_pattern=self.pilot_pattern if pilots else "preamble",
            header_symbols=header.symbols,
            short_header_symbols=header.short_symbols,
        )

    def burst(
        self,
        configuration: LinkConfiguration,
        payload: Complex,
        counter: int,
        override: Override | None = None,
        *,
        number: int = 0,
        session: int = 0,
    ) -> Burst:
        """A burst as a transmitter sends it.

        payload: [n], complex64. counter: number of the draw, stream 0. override: channel settings of its own. number,
        session: which round of which picture.
        """
        spec, pilots, pattern = configuration.codecs[number], configuration.pilot_symbols, configuration.pilot_pattern
        header = header_of(configuration, spec, session, number, counter)
        return Burst(
            burst_id=counter,
            stream=0,
            counter=counter,
            codec=spec,
            pilot_symbols=pilots,
            symbols=place_pilots(np.concatenate([header, payload]), pilots, pattern),
            csi=self.csi,
            channel_override=override or {},
            pilot_pattern=pattern,
            framing=self.framing,
            configuration=configuration.version,
            round=number,
            header_symbols=header.size,
        )

    def carry(
        self,
        payloads: Complex,
        counters: Ints,
        equalizer: EqualizerName | None = None,
        *,
        overrides: Sequence[Override] | None = None,
        joint: bool = False,
    ) -> Carried:
        """Send a burst for each payload. Raises InvalidSymbols for one that has not unit mean power.

        payloads: [B, n], complex64. counters: [B]. equalizer: the one that the decoder is made for; None for the
        receiver's own. overrides: [B], channel settings of each burst's own. joint: the payloads are one transmission,
        with unit power in the mean over all of them only.
        """
        configuration = self.configuration([replace(NO_CODEC, k=2 * payloads.shape[1])], [0.0])
        own = overrides or [{}] * len(payloads)
        bursts = [self.burst(configuration, *each) for each in zip(payloads, counters.tolist(), own, strict=True)]
        for symbols in [payloads] if joint else [burst.symbols for burst in bursts]:
            check_power(symbols)
        arrived = [burst for burst, _ in transmit(bursts, self.conditions)]
        equalized = equalize_bursts(arrived, equalizer or self.equalizer)
        return Carried(**vars(equalized), headers=read_headers(arrived, configuration))


def read_headers(arrived: Sequence[Burst], configuration: LinkConfiguration) -> Headers | None:
    """Let the receiver's deframer read received bursts of a configuration, and compare; None without headers."""
    if configuration.framing != "explicit":
        return None
    deframer = Deframer()
    deframer.hold(configuration)
    found = deframer.read_many([burst.heard() for burst in arrived])
    lost = np.array([isinstance(each, Exception) for each in found])
    pairs = zip(found, arrived, strict=True)
    wrong = [not isinstance(one, Exception) and _named(one) != _named(two) for one, two in pairs]
    return Headers(lost, np.array(wrong))


def _named(burst: Burst) -> tuple[Any, ...]:
    """What a header says of a burst."""
    return burst.codec, burst.round, burst.session


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
