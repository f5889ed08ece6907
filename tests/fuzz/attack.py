"""Mutated requests to running services over sockets: one method at a time, and what must hold for each.

Every call ends with one status, which is neither UNKNOWN nor INTERNAL nor CANCELLED; every request of a stream that can
be read is answered once; no answer to a burst or picture is such a failure either.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import grpc
from google.protobuf.message_factory import GetMessageClass

from protos.semlink.v1 import link_pb2 as pb
from tests.fuzz.mutation import changed, damaged, mutated

_SECONDS: Final = 90.0
"""What a call may take: the longest delay that a burst may ask for, and the services' own deadline."""
_NEVER: Final = {
    code.value[0] for code in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)
}
_KEYS: Final = {
    "SendImages": ("request_id", "request_id"), "Add": ("request_id", "request_id"), "Replay": ("burst_id", "burst_id"),
}  # fmt: skip
"""Of streams: the field that names a request, and the one of the answer that says it."""
_LOST: Final = "Internal error from Core"
"""What grpc.aio makes of a request that it could not write, since the service had ended the stream."""
_ENDLESS: Final = ("WatchChannel", "RecordChannel")
Examples = Mapping[str, Sequence[Any]]


class Attack:
    """Sends mutated requests. channels: by service. examples: requests to begin with, by kind.

    sent: mutated messages. statuses: by method. faults: what must not happen, with the request in a file below `out`.
    """

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], examples: Examples, seed: int, out: Path) -> None:
        self._channels, self._examples, self._rng, self._out = channels, examples, Random(seed), out
        self.sent = 0
        self.statuses: Counter[tuple[str, str]] = Counter()
        self.faults: list[str] = []

    async def run(self, methods: Sequence[Any], going: Callable[[], bool], tasks: int) -> None:
        """Attack these methods, at random, from so many tasks, for as long as `going` says so."""

        async def attack() -> None:
            while going():
                await self._once(self._rng.choice(methods))

        await asyncio.gather(*(attack() for _ in range(tasks)))

    async def _once(self, method: Any) -> None:
        if method.client_streaming and method.name not in _ENDLESS:
            whole = self._rng.random() < 0.75
            await (self._whole if whole else self._damaged)(method)
            return
        data = mutated(self._example(method), self._rng)
        if method.name in _ENDLESS:
            await self._watched(method, data)
            return
        self.sent += 1
        call = self._call(method, "unary_unary")(data, timeout=_SECONDS)
        await self._ended(method, call, data)

    async def _whole(self, method: Any) -> None:
        """A stream of requests that can be read, each of which must be answered once."""
        requests = self._named(method)
        messages = [pb.Bursts(bursts=requests)] if method.input_type.name == "Bursts" else requests
        data = [message.SerializeToString() for message in messages]
        answers = await self._streamed(method, data)
        if answers is None:
            return
        wanted = Counter(_name(method, each) for each in requests)
        found = Counter(_name(method, each) for each in answers)
        if found != wanted:
            lost, more = wanted - found, found - wanted
            self._fault(method, f"{sum(lost.values())} requests not answered, {sum(more.values())} too often", data)

    def _named(self, method: Any) -> list[Any]:
        """Requests of a stream, or bursts of one message, with ids that differ."""
        count = self._rng.choice((1, 2, 8, 8, 40))
        found = []
        for number in range(count):
            request = changed(self._rng.choice(self._of_stream(method)), self._rng)
            setattr(request, _KEYS.get(method.name, ("burst_id", ""))[0], (self._rng.getrandbits(40) << 8) | number)
            found.append(request)
        return found

    def _of_stream(self, method: Any) -> Sequence[Any]:
        name = method.input_type.name
        return self._examples["Burst" if name == "Bursts" else name]

    async def _damaged(self, method: Any) -> None:
        """A stream with requests that cannot be read: it ends with a status, once what came before is answered."""
        data = [mutated(self._example(method), self._rng) for _ in range(self._rng.choice((1, 3)))]
        await self._streamed(method, [*data, damaged(data[-1], self._rng)])

    async def _streamed(self, method: Any, data: Sequence[bytes]) -> list[Any] | None:
        """All answers, of messages one by one; None where the call failed as a whole."""
        call = self._call(method, "stream_stream")(_each(data), timeout=_SECONDS)
        answers: list[Any] = []
        try:
            async for message in call:
                answers += getattr(message, "receptions", [message])
        except grpc.RpcError:
            pass
        self.sent += _count(method, data)
        await self._ended(method, call, b"".join(data))
        for answer in answers:
            self._check_failure(method, answer, data)
        return answers if await call.code() is grpc.StatusCode.OK else None

    async def _watched(self, method: Any, data: bytes) -> None:
        self.sent += 1
        kind, requests = ("stream_stream", _each([data])) if method.client_streaming else ("unary_stream", data)
        call = self._call(method, kind)(requests, timeout=_SECONDS)
        try:
            async with asyncio.timeout(0.3):
                await call.read()
        except TimeoutError:
            return  # which has ended the call
        except grpc.RpcError:
            await self._ended(method, call, data)
        call.cancel()

    async def _ended(self, method: Any, call: Any, data: bytes) -> None:
        code = await call.code()
        if await call.details() == _LOST:
            return
        self.statuses[method.name, code.name] += 1
        if code.value[0] in _NEVER:
            self._fault(method, f"{code.name} {await call.details()}", [data])

    def _check_failure(self, method: Any, answer: Any, data: Sequence[bytes]) -> None:
        failures = (
            [answer.failure] if answer.HasField("failure") else [one.error for one in getattr(answer, "items", ())]
        )
        for failure in failures:
            self.statuses[f"{method.name} answer", str(failure.code)] += 1
            if failure.code in _NEVER:
                self._fault(method, failure.message, data)

    def _fault(self, method: Any, what: str, data: Sequence[bytes]) -> None:
        file = self._out / f"{method.name}-{len(self.faults)}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"".join(data))
        self.faults.append(f"{method.full_name}: {what} ({file})")

    def _example(self, method: Any) -> Any:
        return self._rng.choice(self._examples[method.input_type.name])

    def _call(self, method: Any, kind: str) -> Any:
        service = method.containing_service
        answers = GetMessageClass(method.output_type).FromString
        path = f"/{service.full_name}/{method.name}"
        return getattr(self._channels[service.name], kind)(path, response_deserializer=answers)


def _name(method: Any, message: Any) -> int:
    return int(getattr(message, _KEYS.get(method.name, ("burst_id", ""))[0]))


def _count(method: Any, data: Sequence[bytes]) -> int:
    """Mutated messages in those of a stream: each burst is one."""
    if method.input_type.name != "Bursts":
        return len(data)
    found = 0
    for one in data:
        try:
            found += len(pb.Bursts.FromString(one).bursts)
        except Exception:  # of damaged bytes, one message
            found += 1
    return found


async def _each(data: Sequence[bytes]) -> AsyncIterator[bytes]:
    for one in data:
        yield one
