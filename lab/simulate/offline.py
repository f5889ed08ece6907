"""A scenario off-line: the very functions of the three services, without their sockets.

    pictures --preparer, encoder--> payloads --place_pilots--> bursts --conditions--> link, fate
             --as_received--> receiver's pipeline --> answers

What comes out is what the running services give for the same scenario, counters and batches, bit for bit;
`tests/lab/simulate/test_offline.py` proves it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from channel_proxy.forward import cause_of_loss
from channel_proxy.relay import as_received, report_of
from receiver.pipeline import ReceivePipeline
from shared.clip import Clip
from shared.codecs import AnyCodec, PictureCodec
from shared.codecs.base.design_snr import DEFAULT_DESIGN_SNR_DB
from shared.datasets.decoding import MAX_BYTES, MAX_PIXELS
from shared.frame.burst import Burst, CodecSpec, Csi
from shared.frame.reception import ChannelReport, Reception
from shared.phy import PilotPattern, place_pilots
from shared.phy.channel.conditions import Conditions
from shared.phy.conditions.faults import draw_faults
from shared.phy.conditions.schedule import Schedule
from shared.phy.power import check_power
from shared.types import Complex
from transmitter.encoder import Encoder, ToEncode
from transmitter.preparer import Preparer, ToPrepare

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Sender:
    """How pictures are sent. Fields as in SendImageRequest; design_snr_db: the operating point of the codec."""

    codec: AnyCodec
    csi: Csi = "pilot"
    pilots: int = 8
    pilot_pattern: PilotPattern = "preamble"
    stream: int = 0
    top_k: int = 5
    trace: bool = False
    design_snr_db: float = DEFAULT_DESIGN_SNR_DB


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture.

    sent: payload, [k/2], complex64. burst: as the receiver got it, or would have. cause: why it was lost, empty if it
    was not. answer: None for a lost one, an error for one that cannot be decoded.
    """

    sent: Complex
    burst: Burst
    report: ChannelReport
    cause: str
    answer: Reception | Exception | None


class OfflineLink:
    """Transmitter, channel and receiver in one process.

    scenario: what happens over time; one of the wall clock is run by the clock of bursts. clip: of the transmitter.
    pipeline: of the receiver. batch_size: pictures encoded, sent and decoded together; an embedding depends on it in
    its last bits, so a comparison bit for bit asks for the same.
    """

    def __init__(
        self, scenario: Schedule, clip: Clip, pipeline: ReceivePipeline, sender: Sender, batch_size: int = 32
    ) -> None:
        self._conditions = Conditions(scenario.base(), replace(scenario, clock="burst"))
        self._clip_fingerprint = clip.fingerprint
        self._preparer = Preparer(clip, MAX_BYTES, MAX_PIXELS)
        self._encoder = Encoder(clip)
        self._pipeline = pipeline
        self._sender = sender
        self._batch_size = batch_size

    def run(self, pictures: Sequence[bytes], counter: int = 0) -> Iterator[Outcome]:
        """Send picture files. counter: of the first. Raises the error of a picture that cannot be sent."""
        supply = iter(pictures)
        while batch := list(islice(supply, self._batch_size)):
            yield from self._run_batch(batch, counter)
            counter += len(batch)

    def _run_batch(self, pictures: Sequence[bytes], counter: int) -> list[Outcome]:
        payloads = self._encode(pictures)
        bursts = [self._burst(payload, counter + row) for row, payload in enumerate(payloads)]
        passed = self._pass(bursts)
        answers = iter(self._receive([burst for burst, _, cause in passed if not cause]))
        return [
            Outcome(payload, burst, report, cause, None if cause else next(answers))
            for payload, (burst, report, cause) in zip(payloads, passed, strict=True)
        ]

    def _encode(self, pictures: Sequence[bytes]) -> list[Complex]:
        sender = self._sender
        files = [ToPrepare(data, isinstance(sender.codec, PictureCodec)) for data in pictures]
        prepared = [_or_raise(each) for each in self._preparer.prepare(files)]
        encoded = self._encoder.encode([ToEncode(each.pixels, sender.codec, sender.design_snr_db) for each in prepared])
        return [_or_raise(each).symbols for each in encoded]

    def _burst(self, payload: Complex, counter: int) -> Burst:
        sender = self._sender
        pilots = sender.pilots if sender.csi == "pilot" else 0
        codec = sender.codec
        return Burst(
            burst_id=counter,
            stream=sender.stream,
            counter=counter,
            codec=CodecSpec(
                codec.name, codec.k, codec.fingerprint, self._clip_fingerprint, codec.mode(sender.design_snr_db)
            ),
            pilot_symbols=pilots,
            symbols=place_pilots(payload, pilots, sender.pilot_pattern),
            csi=sender.csi,
            top_k=sender.top_k,
            trace=sender.trace,
            pilot_pattern=sender.pilot_pattern if pilots else "preamble",
        )

    def _pass(self, bursts: Sequence[Burst]) -> list[tuple[Burst, ChannelReport, str]]:
        """Each burst through the link that it meets; which are computed together changes nothing."""
        passed = []
        for burst in bursts:
            check_power(burst.symbols)
            link = self._conditions.link(burst.symbols.size, burst.counter, burst.channel_override)
            transmission = link.transmit(burst.symbols, burst.stream, burst.counter)
            cause = cause_of_loss(draw_faults(link.settings, burst.stream, burst.counter), link.settings)
            passed.append((as_received(burst, transmission), report_of(transmission), cause))
        return passed

    def _receive(self, bursts: Sequence[Burst]) -> list[Reception | Exception]:
        return self._pipeline.receive([(burst, self._pipeline.admit(burst)) for burst in bursts]) if bursts else []


def _or_raise(outcome: Value | Exception) -> Value:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
