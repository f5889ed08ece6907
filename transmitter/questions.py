"""Questions on their way: the picture is encoded for each, and a session holds those about one picture.

request --first question--> encoded, sent, answered --> session: what the receiver holds
        --it follows a session--> only what is missing, sent, answered --> the session holds more
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any, Final

from shared.codecs import AnyCodec, FollowingCodec, QueryCodec
from shared.device import use_threads
from shared.errors import InvalidInput, NotFound
from shared.frame.burst import LinkConfiguration, burst_name
from shared.frame.delivery import Delivery, SendRequest
from shared.frame.header import SESSIONS
from shared.frame.question import QUESTIONS, Question
from shared.frame.question_field import SENT_BITS
from shared.runtime.batching import Batcher
from shared.runtime.deadline import Deadline
from transmitter.asking import AskedEncoding, Asker, Followed, ToAsk, outcome
from transmitter.encoder import Encoded, Prepared
from transmitter.harq import Exchange
from transmitter.planning import Plan, Planner
from transmitter.settings import TransmitterSettings

_MOST: Final = SESSIONS // 2
"""Sessions that are kept; the least recently used are dropped. Headers tell twice as many apart."""


@dataclass
class Session:
    """Questions about one picture.

    bursts: the number that its bursts have in common. number: that headers tell. digest: of the pixels. held: what the
    receiver holds. turn: how many questions it has answered. bits: of all of them
    """

    bursts: int
    number: int
    digest: bytes
    plan: Plan
    configuration: LinkConfiguration | None
    held: Any = None
    turn: int = 0
    bits: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """As clients know it."""
        return burst_name(self.bursts)


class Questions:
    """Encodes pictures for questions, and keeps the sessions."""

    def __init__(self, settings: TransmitterSettings, planner: Planner, device: str) -> None:
        self._planner = planner
        self._asker = Asker(device, settings.max_picture_bytes, settings.max_picture_pixels)
        self._ask: Batcher[ToAsk, AskedEncoding] = Batcher(
            self._asker.encode,
            settings.batch_size,
            0.0,
            "asker",
            before=lambda: use_threads(settings.threads or 1),  # a second one waits more than it works
        )
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # least recently used first
        self._numbers = count()

    @asynccontextmanager
    async def following(self, request: SendRequest, deadline: Deadline) -> AsyncIterator[Session | None]:
        """The session that a request follows, for this request alone; None where it follows none.

        Raises NotFound for an unknown one, InvalidInput for one that is full, or does not fit the request.
        """
        if request.question is None or not request.question.follow:
            yield None
            return
        session = self._session(request.question.follow)
        async with deadline.enforced():
            await session.lock.acquire()
        try:
            _check(request, session)
            yield session
        finally:
            session.lock.release()

    async def encoded(
        self, request: SendRequest, codec: AnyCodec, snr_db: float, deadline: Deadline, session: Session | None
    ) -> tuple[Prepared, Encoded, float]:
        """The picture of a request, encoded for its question, and the seconds in queues."""
        from shared.codecs.answerers import Answerer  # noqa: PLC0415 - loads torch

        assert isinstance(codec, QueryCodec)
        assert request.question is not None
        followed = None
        if session is not None:
            codec_for = partial(self._planner.codec_for_bits, codec.name, snr_db, request.k)
            followed = Followed(session.name, session.digest, session.held, codec_for)
        asked = ToAsk(request.image, Answerer.read(request.question.text), codec, snr_db, followed)
        found, queue_seconds = await self._ask.submit(asked, deadline)
        prepared = Prepared(found.original.pixels, found.source_values, found.prepare_seconds)
        return prepared, Encoded(found.symbols, found.look_seconds, found.compress_seconds, found), queue_seconds

    def number(self, request: SendRequest) -> int:
        """The number of a new session in headers, the same in a replay; an old session of that number ends."""
        number = (next(self._numbers) if request.counter is None else request.counter) % SESSIONS
        for name, session in list(self._sessions.items()):
            if session.plan.framing == "explicit" and session.number == number and not session.lock.locked():
                del self._sessions[name]
        return number

    def settled(
        self,
        delivery: Delivery,
        question: Question,
        encoding: AskedEncoding,
        exchanges: Sequence[Exchange],
        session: Session,
    ) -> Delivery:
        """The delivery with the outcome of its question; its session holds from now on what has arrived.

        exchanges: all transmissions.
        """
        exchange = [each for each in exchanges if each.reception is not None][-1]
        reception = exchange.reception
        if reception is None or reception.rebuilt is None:
            return delivery
        symbols = sum(each.burst.payload_symbols for each in exchanges)
        asked = replace(
            outcome(question.text, encoding, reception.rebuilt, exchange.burst.codec.mode),
            symbols=symbols,
            transmissions=len(exchanges),
            question_bits=SENT_BITS if exchange.burst.question_symbols else 0,
        )
        if isinstance(encoding.codec, FollowingCodec):
            session.held = encoding.held if reception.rebuilt.arrived else encoding.before
            session.turn, session.bits = session.turn + 1, session.bits + asked.all_bits
            self._keep(session)
            asked = replace(asked, session=session.name, turn=session.turn, bits_in_session=session.bits)
        return replace(delivery, asked=asked)

    async def stop(self) -> None:
        """End the thread."""
        await self._ask.stop()

    def _keep(self, session: Session) -> None:
        self._sessions[session.name] = session
        self._sessions.move_to_end(session.name)
        if len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)

    def _session(self, name: str) -> Session:
        session = self._sessions.get(name)
        if session is None:
            raise NotFound(
                f"no session {name[:40]!r} of questions here: the transmitter that began it knows it, and keeps "
                f"{_MOST} of them; ask without it, which sends the picture anew"
            )
        return session


def _check(request: SendRequest, session: Session) -> None:
    """Raise InvalidInput for a question too many, and for what is otherwise than in the first question."""
    if session.turn >= QUESTIONS:
        raise InvalidInput(f"session {session.name} has {session.turn} questions, the most: ask without it")
    plan, codec = session.plan, session.plan.codecs[-1]
    assert request.question is not None
    known = plan.question_symbols == 0
    if request.question.at_receiver not in (None, known):
        where = "known to the receiver" if known else "sent over the air"
        raise InvalidInput(f"session {session.name} has its questions {where}: leave question_at_receiver out")
    first = {
        "codec": codec.name, "csi": plan.csi, "framing": plan.framing, "pilot_symbols": plan.pilot_symbols,
        "pilot_pattern": plan.pilot_pattern,
    }  # fmt: skip
    for name, value in first.items():
        if getattr(request, name) not in (None, value):
            raise InvalidInput(
                f"{name} = {getattr(request, name)} in session {session.name}, which has {value}: leave it out"
            )
    if request.question.bits:
        raise InvalidInput(f"bits in session {session.name}: a further question takes what is missing; leave them out")
