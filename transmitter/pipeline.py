"""One picture from file to answer.

image --decode, resize--> pixels --batch: CLIP, codec--> payload --pilots--> burst --next hop--> reception
"""

import io
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from time import perf_counter

from PIL import Image

from shared.batching import Batcher
from shared.burst import Burst, CodecSpec, Csi, Reception
from shared.channel import PilotPlacing, place_pilots
from shared.channel.timing import HEADER_SYMBOLS
from shared.clip import Clip
from shared.codecs import AnyCodec, CodecShelf, PictureCodec
from shared.deadline import Deadline
from shared.device import use_threads
from shared.errors import InvalidSetting
from shared.ledger import AIR, Kind, Ledger, Stage
from shared.symbols import Complex
from shared.warming import Warming
from transmitter.encoder import Encoded, Encoder, ToEncode
from transmitter.preparer import Prepared, Preparer, ToPrepare
from transmitter.request import SendRequest, Sent
from transmitter.settings import TransmitterSettings

PREPARE_SIZE = 8
"""Most pictures that one thread prepares at a time: enough to spare it some wake-ups, few enough to share the work."""

NextHop = Callable[[Burst], Awaitable[Reception]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one picture is sent, defaults filled in."""

    codec: AnyCodec
    csi: Csi
    pilots: int
    placing: PilotPlacing


class SendPipeline:
    """Sends pictures; everything that blocks runs in threads, many pictures at a time."""

    def __init__(self, settings: TransmitterSettings, clip: Clip, shelf: CodecShelf, next_hop: NextHop) -> None:
        self._settings = settings
        self._clip_fingerprint = clip.fingerprint
        self._shelf = shelf
        self._next_hop = next_hop
        preparer = Preparer(clip, settings.max_picture_bytes, settings.max_picture_pixels)
        self._prepare: Batcher[ToPrepare, Prepared] = Batcher(
            preparer.prepare, PREPARE_SIZE, 0.0, "preprocess", workers=settings.preprocess_threads
        )
        self._encoder = Encoder(clip)
        self._encode: Batcher[ToEncode, Encoded] = Batcher(
            self._encoder.encode,
            settings.batch_size,
            settings.batch_wait_seconds,
            "encoder",
            initializer=lambda: use_threads(settings.threads),
        )
        # Ids differ between transmitters and restarts; counters start at 0, so that a run can be repeated.
        self._burst_ids = count(secrets.randbits(31) << 32)
        self._counters = count()
        self._operating_point_db = settings.design_snr_db
        self._warming = Warming()

    async def send(self, request: SendRequest, deadline: Deadline) -> Sent:
        """Send one picture and wait for the answer."""
        start = perf_counter()
        plan = self._plan(request)
        await self._warm(plan.codec)
        as_picture = isinstance(plan.codec, PictureCodec)
        prepared, prepare_queue_seconds = await self._prepare.submit(ToPrepare(request.image, as_picture), deadline)
        expected_db = self._operating_point_db if request.design_snr_db is None else request.design_snr_db
        item = ToEncode(prepared.pixels, plan.codec, expected_db)
        encoded, encode_queue_seconds = await self._encode.submit(item, deadline)
        burst = self._burst(request, plan, encoded.symbols, plan.codec.mode(item.snr_db), deadline)
        sent_at = perf_counter()
        reception = await self._next_hop(burst)
        self._learn(reception)
        round_trip = perf_counter() - sent_at
        ledger = Ledger()
        ledger.book(Stage.PREPROCESS, prepared.seconds)
        ledger.book(Stage.QUEUE, prepare_queue_seconds + encode_queue_seconds)
        ledger.book(Stage.ENCODE, encoded.encode_seconds)
        ledger.book(Stage.COMPRESS, encoded.compress_seconds)
        ledger.book(Stage.WIRE, round_trip - reception.elapsed_seconds - _air_seconds(reception))
        ledger.extend(reception.ledger)
        ledger.close(perf_counter() - start)
        return Sent(
            reception=_with_sent(reception, encoded.symbols),
            codec=burst.codec,
            csi=plan.csi,
            pilots=plan.pilots,
            placing=plan.placing,
            cbr=plan.codec.symbols / prepared.source_values,
            cbr_total=_channel_uses(burst, reception) / prepared.source_values,
            ledger=tuple(ledger.entries),
        )

    async def warm_up(self) -> None:
        """Preprocess and encode one picture, so that the first request finds all of it loaded."""
        file, codec = io.BytesIO(), self.default_codec()
        Image.new("RGB", (64, 64)).save(file, "PNG")
        picture = ToPrepare(file.getvalue(), isinstance(codec, PictureCodec))
        prepared, _ = await self._prepare.submit(picture, Deadline.after(None))
        await self._encode.submit(ToEncode(prepared.pixels, codec, self._operating_point_db), Deadline.after(None))

    async def stop(self) -> None:
        """End the threads; what waits for them is cancelled."""
        await self._prepare.stop()
        await self._encode.stop()

    def spec(self, codec: AnyCodec, mode: int = 0) -> CodecSpec:
        """A codec's name, length and fingerprints, and the mode of a burst, as its header has them."""
        return CodecSpec(codec.name, codec.k, codec.fingerprint, self._clip_fingerprint, mode)

    def default_codec(self) -> AnyCodec:
        """The codec of requests that name none."""
        return self._codec(self._settings.codec, self._settings.k)

    def _codec(self, name: str, k: int | None) -> AnyCodec:
        return self._shelf.get(name, k).expecting(self._settings.design_fading)

    async def _warm(self, codec: AnyCodec) -> None:
        """Run a codec that is slow at first once, beside the pictures of others."""
        if not codec.quick:
            await self._warming.ready(codec.name, partial(self._encoder.encode_once, codec))

    def _learn(self, reception: Reception) -> None:
        """With feedback, the SNR that the receiver saw last becomes the operating point of what is sent next."""
        if self._settings.snr_feedback and reception.snr_db_estimated is not None:
            self._operating_point_db = reception.snr_db_estimated

    def _plan(self, request: SendRequest) -> _Plan:
        settings = self._settings
        if request.codec is None:
            codec = self._codec(settings.codec, request.k if request.k is not None else settings.k)
        else:
            codec = self._codec(request.codec, request.k)
        csi = request.csi or settings.csi
        if csi != "pilot":
            for name in ("pilot_symbols", "pilot_placing"):
                if value := getattr(request, name):
                    raise InvalidSetting(f"{name} = {value} with csi {csi}: pilots need csi pilot")
            return _Plan(codec, csi, 0, "front")
        pilots = settings.pilot_symbols if request.pilot_symbols is None else request.pilot_symbols
        if not 2 <= pilots <= 1024:
            raise InvalidSetting(f"pilot_symbols = {pilots}: choose 2 to 1024, or csi none")
        return _Plan(codec, csi, pilots, request.pilot_placing or settings.pilot_placing)

    def _burst(self, request: SendRequest, plan: _Plan, payload: Complex, mode: int, deadline: Deadline) -> Burst:
        return Burst(
            burst_id=next(self._burst_ids),
            stream=request.stream or 0,
            counter=next(self._counters) if request.counter is None else request.counter,
            codec=self.spec(plan.codec, mode),
            pilots=plan.pilots,
            symbols=place_pilots(payload, plan.pilots, plan.placing),
            csi=plan.csi,
            timeout_seconds=deadline.remaining(),
            top_k=request.top_k,
            trace=request.trace,
            channel_override=request.channel or {},
            placing=plan.placing,
        )


def _air_seconds(reception: Reception) -> float:
    """What the channel really took."""
    return sum(entry.seconds for entry in reception.ledger if entry.stage in AIR and entry.kind is Kind.MEASURED)


def _channel_uses(burst: Burst, reception: Reception) -> int:
    """All that was on the air: pilots, payload, what the waveform adds, and the header."""
    air_symbols = burst.symbols.size if reception.channel is None else reception.channel.air_symbols
    return air_symbols + HEADER_SYMBOLS


def _with_sent(reception: Reception, payload: Complex) -> Reception:
    """The trace of a burst starts with what was sent, which only this end knows."""
    if reception.trace is None:
        return reception
    return replace(reception, trace=replace(reception.trace, sent=payload))
