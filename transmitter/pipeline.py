"""One picture from file to answer.

image --decode, resize--> pixels --batch: CLIP, codec--> payload --pilots--> burst --next hop--> reception
"""

import asyncio
import io
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from time import perf_counter

import numpy as np
from PIL import Image

from shared.batching import Batcher
from shared.burst import HEADER_SYMBOLS, Burst, CodecSpec, Csi, Reception
from shared.channel import pilot_sequence
from shared.clip import Clip
from shared.clip.model import Pixels
from shared.codecs import Codec, CodecShelf
from shared.deadline import Deadline
from shared.errors import InvalidSetting
from shared.ledger import Ledger, Stage
from shared.pictures import decode_picture
from shared.symbols import Complex
from transmitter.encoder import Encoded
from transmitter.request import SendRequest, Sent
from transmitter.settings import TransmitterSettings

NextHop = Callable[[Burst], Awaitable[Reception]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one picture is sent, defaults filled in."""

    codec: Codec
    csi: Csi
    pilots: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    pixels: Pixels
    source_values: int  # 3 x height x width of the source
    seconds: float


class SendPipeline:
    """Sends pictures; everything that blocks runs in threads."""

    def __init__(
        self,
        settings: TransmitterSettings,
        clip: Clip,
        shelf: CodecShelf,
        batcher: Batcher[tuple[Pixels, Codec], Encoded],
        next_hop: NextHop,
    ) -> None:
        self._settings = settings
        self._clip = clip
        self._shelf = shelf
        self._batcher = batcher
        self._next_hop = next_hop
        self._threads = ThreadPoolExecutor(settings.preprocess_threads, thread_name_prefix="preprocess")
        # Ids differ between transmitters and restarts; counters start at 0, so that a run can be repeated.
        self._burst_ids = count(secrets.randbits(31) << 32)
        self._counters = count()

    async def send(self, request: SendRequest, deadline: Deadline) -> Sent:
        """Send one picture and wait for the answer."""
        start = perf_counter()
        plan = self._plan(request)
        with self._batcher.announce():
            prepared = await self._prepare(request.image, deadline)
            encoded, queue_seconds = await self._batcher.submit((prepared.pixels, plan.codec), deadline)
        burst = self._burst(request, plan, encoded.symbols, deadline)
        sent_at = perf_counter()
        reception = await self._next_hop(burst)
        round_trip = perf_counter() - sent_at
        ledger = Ledger()
        ledger.book(Stage.PREPROCESS, prepared.seconds)
        ledger.book(Stage.QUEUE, queue_seconds)
        ledger.book(Stage.ENCODE, encoded.encode_seconds)
        ledger.book(Stage.COMPRESS, encoded.compress_seconds)
        ledger.book(Stage.WIRE, round_trip - reception.elapsed_seconds - _channel_seconds(reception))
        ledger.extend(reception.ledger)
        ledger.close(perf_counter() - start)
        return Sent(
            reception=_with_sent(reception, encoded.symbols),
            codec=burst.codec,
            csi=plan.csi,
            pilots=plan.pilots,
            cbr=plan.codec.symbols / prepared.source_values,
            cbr_total=(plan.codec.symbols + plan.pilots + HEADER_SYMBOLS) / prepared.source_values,
            ledger=tuple(ledger.entries),
        )

    def warm_up(self) -> None:
        """Preprocess one picture, so that the first request does not wait for Pillow's decoders to be imported."""
        file = io.BytesIO()
        Image.new("RGB", (64, 64)).save(file, "PNG")
        self._preprocess(file.getvalue(), Deadline.after(None))

    def close(self) -> None:
        """Release the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def spec(self, codec: Codec) -> CodecSpec:
        """A codec's name, length and fingerprints, as the burst's header has them."""
        return CodecSpec(codec.name, codec.k, codec.fingerprint, self._clip.fingerprint)

    def default_codec(self) -> Codec:
        """The codec of requests that name none."""
        return self._shelf.get(self._settings.codec, self._settings.k)

    def _plan(self, request: SendRequest) -> _Plan:
        settings = self._settings
        if request.codec is None:
            codec = self._shelf.get(settings.codec, request.k if request.k is not None else settings.k)
        else:
            codec = self._shelf.get(request.codec, request.k)
        csi = request.csi or settings.csi
        if csi != "pilot":
            if request.pilot_symbols:
                raise InvalidSetting(f"pilot_symbols = {request.pilot_symbols} with csi {csi}: pilots need csi pilot")
            return _Plan(codec, csi, 0)
        pilots = settings.pilot_symbols if request.pilot_symbols is None else request.pilot_symbols
        if not 2 <= pilots <= 1024:
            raise InvalidSetting(f"pilot_symbols = {pilots}: choose 2 to 1024, or csi none")
        return _Plan(codec, csi, pilots)

    async def _prepare(self, image: bytes, deadline: Deadline) -> _Prepared:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._preprocess, image, deadline)

    def _preprocess(self, image: bytes, deadline: Deadline) -> _Prepared:
        deadline.remaining()  # work that nobody waits for any more ends here
        settings, start = self._settings, perf_counter()
        picture = decode_picture(
            image, settings.max_picture_bytes, settings.max_picture_pixels, target_size=self._clip.image_size
        )
        pixels = self._clip.preprocess(picture.image)
        values = 3 * picture.source_height * picture.source_width
        return _Prepared(pixels, values, perf_counter() - start)

    def _burst(self, request: SendRequest, plan: _Plan, payload: Complex, deadline: Deadline) -> Burst:
        return Burst(
            burst_id=next(self._burst_ids),
            stream=request.stream or 0,
            counter=next(self._counters) if request.counter is None else request.counter,
            codec=self.spec(plan.codec),
            pilots=plan.pilots,
            symbols=np.concatenate([pilot_sequence(plan.pilots), payload]) if plan.pilots else payload,
            csi=plan.csi,
            timeout_seconds=deadline.remaining(),
            top_k=request.top_k,
            trace=request.trace,
            channel_override=request.channel or {},
        )


def _channel_seconds(reception: Reception) -> float:
    return sum(entry.seconds for entry in reception.ledger if entry.stage == Stage.CHANNEL)


def _with_sent(reception: Reception, payload: Complex) -> Reception:
    """The trace of a burst starts with what was sent, which only this end knows."""
    if reception.trace is None:
        return reception
    return replace(reception, trace=replace(reception.trace, sent=payload))
