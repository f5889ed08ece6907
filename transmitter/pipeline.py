"""One picture from file to answer.

image --decode, resize--> pixels --batch: CLIP, codec--> payload --pilots--> bursts --next hop, in rounds--> reception
"""

import io
import math
import secrets
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import count
from time import perf_counter
from typing import NamedTuple

import numpy as np
from PIL import Image

from shared.clip import Clip
from shared.codecs import AnyCodec, CodecShelf, PictureCodec, is_slow
from shared.device import use_threads
from shared.frame.burst import Burst, LinkConfiguration
from shared.frame.delivery import Delivery, ReadyEmbedding, SendRequest
from shared.frame.header import Sessions, header_of
from shared.frame.question_field import encode_question
from shared.ledger import Ledger, Stage
from shared.phy import place_pilots
from shared.runtime.batching import Batcher, Lanes
from shared.runtime.deadline import Deadline
from shared.runtime.warming import Warming
from shared.types import Complex
from shared.wire.link import configuration_symbols
from transmitter.configuration import Configurator, Configure
from transmitter.delivering import delivery_of
from transmitter.encoder import (
    Encoded,
    Encoder,
    Prepared,
    Preparer,
    ToEncode,
    ToPrepare,
    checked_embedding,
    kind_of_file,
)
from transmitter.harq import Exchange, NextHop, exchange_rounds, joined_trace
from transmitter.planning import Plan, Planner
from transmitter.questions import Questions, Session
from transmitter.settings import TransmitterSettings

PREPARE_SIZE = 8
"""Most pictures that one thread prepares at a time: enough to spare it some wake-ups, few enough to share the work."""


class _Sending(NamedTuple):
    """One picture as it is sent. mode: of its codec. number: of its session in headers. session: that it follows."""

    request: SendRequest
    plan: Plan
    mode: int
    configuration: LinkConfiguration | None
    number: int
    session: Session | None


class SendPipeline:
    """Sends pictures; everything that blocks runs in threads, many pictures at a time."""

    def __init__(
        self, settings: TransmitterSettings, clip: Clip, shelf: CodecShelf, next_hop: NextHop, configure: Configure
    ) -> None:
        """next_hop: takes bursts. configure: takes configurations, of which bursts name the version."""
        self._settings = settings
        self._clip = clip
        self._shelf = shelf
        self.planner = Planner(settings, shelf, clip.fingerprint)
        self._next_hop = next_hop
        self._configurator = Configurator(configure)
        self._sessions = Sessions()
        preparer = Preparer(clip, settings.max_picture_bytes, settings.max_picture_pixels)
        self._at_work = 0  # pictures
        self._prepare: Batcher[ToPrepare, Prepared] = Batcher(
            preparer.prepare,
            PREPARE_SIZE,
            0.0,
            "preprocess",
            workers=settings.preprocess_threads,
            alone=self._is_alone,
            kind=kind_of_file,
        )
        self._encoder = Encoder(clip)
        self._encode: Lanes[ToEncode, Encoded] = Lanes(
            lambda name: Batcher(
                self._encoder.encode,
                settings.encoded_together,
                settings.batch_wait_seconds,
                name,
                before=lambda: use_threads(settings.threads),
                alone=self._is_alone,
                kind=lambda item: (item.codec.fingerprint, item.pixels.ndim),
            ),
            "encoder",
            is_slow=lambda item: is_slow(item.codec),
        )
        self._questions = Questions(settings, self.planner, shelf.device)
        # Ids differ between transmitters and restarts, and name sessions, so none is 0; counters start at 0, so that a
        # run can be repeated.
        self._burst_ids = count((secrets.randbits(31) << 32) + 1)
        self._counters = count()
        self._operating_point_db = settings.design_snr_db
        self._warming = Warming()

    async def send(self, request: SendRequest, deadline: Deadline) -> Delivery:
        """Send one picture and wait for the answer."""
        self._at_work += 1
        try:
            async with self._questions.following(request, deadline) as session:
                return await self._sent(request, deadline, session)
        finally:
            self._at_work -= 1

    def _is_alone(self) -> bool:
        """Whether no two pictures are at work."""
        return self._at_work <= 1

    async def _sent(self, request: SendRequest, deadline: Deadline, session: Session | None) -> Delivery:
        start = perf_counter()
        expected_db = self._operating_point_db if request.design_snr_db is None else request.design_snr_db
        plan = session.plan if session else await self._planned(request, expected_db)
        codec = plan.codecs[-1]
        if request.embedding is not None:
            checked_embedding(request.embedding, codec, self._clip)  # before a codec that is slow at first
        await self._warm(request, plan, expected_db)
        design_db = self.planner.design_db(codec, expected_db)
        prepared, encoded, queue_seconds = await self._encoded(request, codec, design_db, deadline, session)
        if encoded.asked is not None:
            assert request.question is not None
            plan = replace(plan, codecs=(encoded.asked.codec,), retransmissions=request.question.retransmissions)
        sending = self._sending(request, plan, expected_db, session)
        payload = _payload(request, plan, encoded.symbols)
        exchanges = await self._exchanged(sending, payload, deadline)
        ledger = Ledger()
        if request.embedding is None:
            ledger.book(Stage.PREPROCESS, prepared.seconds)
        ledger.book(Stage.QUEUE, queue_seconds)
        if request.embedding is None:
            ledger.book(Stage.ENCODE, encoded.encode_seconds)
        ledger.book(Stage.COMPRESS, encoded.compress_seconds)
        for exchange in exchanges:
            ledger.extend(exchange.ledger())
        ledger.close(perf_counter() - start)
        trace = joined_trace(exchanges, payload)
        delivery = delivery_of(plan, exchanges, ledger, trace, prepared.source_values)
        if sending.configuration is not None:
            delivery = replace(delivery, configuration_symbols=configuration_symbols(sending.configuration))
        self._learn(delivery)
        if request.question is None or encoded.asked is None:
            return delivery
        first = exchanges[-1].burst.session, sending.number, encoded.asked.original.digest, plan, sending.configuration
        return self._questions.settled(delivery, request.question, encoded.asked, exchanges, session or Session(*first))

    async def _planned(self, request: SendRequest, snr_db: float) -> Plan:
        """How a request is sent. What its codec needs is imported off the event loop, where it is the first of it."""
        name = self.planner.codec_name(request)
        if not self._shelf.holds(name):
            await self._warming.ready(f"load {name}", partial(self._shelf.get, name))
        return self.planner.plan(request, snr_db)

    def _sending(self, request: SendRequest, plan: Plan, snr_db: float, session: Session | None) -> "_Sending":
        """How a picture is sent, and by which configuration. snr_db: the average, expected."""
        mode = plan.codecs[-1].mode(self.planner.design_db(plan.codecs[-1], snr_db))
        if session is not None and plan.framing == "explicit":  # its version is a part of the session's name
            return _Sending(request, plan, mode, session.configuration, session.number, session)
        wanted = self.planner.configuration(request, plan, mode, snr_db)
        configuration = None if wanted is None else self._configurator.named(wanted)
        numbered = configuration is not None and configuration.header_symbols and configuration.questions
        return _Sending(request, plan, mode, configuration, self._questions.number(request) if numbered else 0, session)

    async def _exchanged(self, sending: "_Sending", payload: Complex, deadline: Deadline) -> list[Exchange]:
        """What was sent of a picture and what came back."""
        configuration = sending.configuration
        hop = self._next_hop if configuration is None else self._configurator.hop(self._next_hop, configuration)
        in_rounds = configuration is not None and configuration.header_symbols and configuration.in_rounds
        with (
            self._sessions.number(sending.request.counter or 0) if in_rounds else nullcontext(sending.number) as number
        ):
            bursts = self._bursts(sending._replace(number=number), payload)
            return await exchange_rounds(bursts, hop, deadline, repeats=sending.plan.retransmissions > 0)

    async def warm_up(self) -> None:
        """Preprocess and encode one picture, so that the first request finds all of it loaded."""
        file = io.BytesIO()
        Image.new("RGB", (64, 64)).save(file, "PNG")
        picture = SendRequest(file.getvalue())
        await self._encoded(picture, self.planner.default_codec(), self._operating_point_db, Deadline.after(None))

    async def _encoded(
        self, request: SendRequest, codec: AnyCodec, snr_db: float, deadline: Deadline, session: Session | None = None
    ) -> tuple[Prepared, Encoded, float]:
        """A picture file prepared and encoded, or an embedding encoded, and the seconds in queues."""
        if request.question is not None:
            return await self._questions.encoded(request, codec, snr_db, deadline, session)
        if request.embedding is not None:
            return await self._encoded_embedding(request.embedding, codec, snr_db, deadline)
        to_prepare = ToPrepare(request.image, isinstance(codec, PictureCodec))
        prepared, first = await self._prepare.submit(to_prepare, deadline)
        encoded, second = await self._encode.submit(ToEncode(prepared.pixels, codec, snr_db), deadline)
        return prepared, encoded, first + second

    async def _encoded_embedding(
        self, given: ReadyEmbedding, codec: AnyCodec, snr_db: float, deadline: Deadline
    ) -> tuple[Prepared, Encoded, float]:
        unit = checked_embedding(given, codec, self._clip)
        encoded, queue_seconds = await self._encode.submit(ToEncode(unit, codec, snr_db), deadline)
        return Prepared(unit, given.source_values or math.nan, 0.0), encoded, queue_seconds

    async def stop(self) -> None:
        """End the threads; what waits for them is cancelled."""
        await self._configurator.stop()
        await self._questions.stop()
        await self._prepare.stop()
        await self._encode.stop()

    async def _warm(self, request: SendRequest, plan: Plan, snr_db: float) -> None:
        """Run a codec that is slow at first once, beside the pictures of others; the receiver, told of it, does too."""
        codec = plan.codecs[-1]
        if codec.quick or self._warming.done(codec.name):
            return
        mode = codec.mode(self.planner.design_db(codec, snr_db))
        if (wanted := self.planner.configuration(request, plan, mode, snr_db)) is not None:
            self._configurator.begin(self._configurator.named(wanted))
        await self._warming.ready(codec.name, partial(self._encoder.encode_once, codec))

    def _learn(self, delivery: Delivery) -> None:
        """With feedback, the SNR that the receiver saw last becomes the operating point of what is sent next."""
        if self._settings.snr_feedback and delivery.snr_db_estimated is not None:
            self._operating_point_db = delivery.snr_db_estimated

    def _bursts(self, sending: _Sending, payload: Complex) -> Iterator[Burst]:
        """The burst of each round, with its part of the payload; numbered when it is taken."""
        request, plan, configuration, followed = sending.request, sending.plan, sending.configuration, sending.session
        session = followed.bursts if followed else 0
        for place, (codec, offset, required, number, attempt) in enumerate(plan.rounds):
            burst_id = next(self._burst_ids)
            session = session or (burst_id if plan.in_session else 0)
            turn = followed.turn if followed else number
            spec = self.planner.spec(codec, sending.mode)
            counter = next(self._counters) if request.counter is None else request.counter + place
            header = header_of(configuration, spec, sending.number, turn, counter)
            data = np.concatenate([header, payload[offset : plan.question_symbols + codec.symbols]])
            yield Burst(
                burst_id=burst_id,
                stream=request.stream or 0,
                counter=counter,
                codec=spec,
                pilot_symbols=plan.pilot_symbols,
                symbols=place_pilots(data, plan.pilot_symbols, plan.pilot_pattern),
                csi=plan.csi,
                top_k=request.top_k,
                trace=request.trace,
                channel_override=request.channel_override or {},
                pilot_pattern=plan.pilot_pattern,
                session=session,
                offset_symbols=offset,
                required_posterior=required,
                framing=plan.framing,
                configuration=configuration.version if configuration else 0,
                round=turn,
                header_symbols=header.size,
                question_symbols=plan.question_symbols,
                question=request.question.text if request.question and not plan.question_symbols else "",
                attempt=attempt,
            )


def _payload(request: SendRequest, plan: Plan, symbols: Complex) -> Complex:
    """Symbols of a picture [k/2], behind those of its question where that is sent over the air."""
    if request.question is None or not plan.question_symbols:
        return symbols
    return np.concatenate([encode_question(request.question.text, plan.question_symbols), symbols])
