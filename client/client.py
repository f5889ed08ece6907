"""The blocking client."""

import threading
from collections.abc import Iterable, Iterator
from functools import partial
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Unpack

import numpy.typing as npt

from client.connection import TRANSMITTER, Client, rpc_errors
from client.options import AskOptions, SendOptions, build_pair, build_question, build_request, with_timeout
from client.pictures import Picture, one_of
from client.stream import (
    IN_FLIGHT,
    Answer,
    Build,
    Journal,
    Order,
    checked_in_flight,
    noted,
    read_delivery,
    sending,
)
from protos.semlink.v1 import transmitter_pb2 as api
from protos.semlink.v1.transmitter_pb2_grpc import TransmitterStub
from shared.frame.delivery import Delivery, TransmitterInfo
from shared.rpc.dial import Security
from shared.wire import from_message


class SemLink(Client):
    """A connection to a transmitter.

        with SemLink() as link:
            print(link.send("cat.jpg", snr_db=5, fading="rayleigh").label)

    address: HOST:PORT of the transmitter. timeout: seconds that a call may take where it says nothing else.
    security: certificates and token; None takes those of the environment.
    May be used by several threads.
    """

    def __init__(self, address: str = TRANSMITTER, timeout: float = 30.0, security: Security | None = None) -> None:
        super().__init__(address, timeout, security)
        self._stub = TransmitterStub(self._channel)

    def describe(self) -> TransmitterInfo:
        """What the transmitter is: its CLIP, codecs, default codec and limits."""
        return from_message(self._call(self._stub.Describe, api.DescribeTransmitterRequest()), TransmitterInfo)

    def send(
        self,
        picture: "Picture | None" = None,
        *,
        embedding: npt.ArrayLike | None = None,
        clip_fingerprint: str | None = None,
        **options: Unpack[SendOptions],
    ) -> Delivery:
        """Send one picture, or one ready embedding, and wait for its answer.

            link.send(embedding=e, clip_fingerprint="88f5e606cf4b5f2b")

        picture: path, bytes of a picture file, or PIL image. embedding: [D], numbers, in its place; clip_fingerprint:
        of the CLIP that made it, which must be the transmitter's. options: see `SendOptions`. Raises a SemLinkError.
        """
        given = one_of(picture, embedding, clip_fingerprint)
        return self._sent(build_request(given, with_timeout(options, self.timeout)))

    def _sent(self, request: api.SendImageRequest) -> Delivery:
        start = perf_counter()
        with rpc_errors(self.address), sending() as metadata:
            call = self._stub.SendEmbedding if request.HasField("embedding") else self._stub.SendImage
            message = call(request, timeout=request.timeout_seconds or None, metadata=metadata)
            return noted(read_delivery(message, perf_counter() - start))

    def ask(self, picture: Picture, question: str, **options: Unpack[AskOptions]) -> Delivery:
        """Send of a picture what a question is about, and get the receiver's answer on what it rebuilt.

            first = link.ask("scene.png", "what colour is the heart?")
            second = link.ask("scene.png", "how many stars are there?", follow=first)

        picture: as in `send`. question: in plain English, such as "what colour is the heart?". options: see
        `AskOptions`, among them `bits`, of the picture, 384 by default; the codec is "uo-isc", or another of
        docs/how-to/questions.md, such as "klt", which does not heed the question. The delivery has `answer`, `picture`
        (a PNG file) and `asked`. With `follow` only what the receiver does not hold yet of the picture is sent.
        """
        return self._sent(build_question(picture, question, with_timeout(options, self.timeout)))

    def send_many(
        self,
        pictures: Iterable[Picture],
        *,
        in_flight: int = IN_FLIGHT,
        ordered: bool = False,
        **options: Unpack[SendOptions],
    ) -> Iterator[Answer]:
        """Send many pictures over one stream; yields `(position, Delivery or SemLinkError)` for each.

        pictures: pictures, or embeddings made by `ready_embedding`, taken one by one, in another thread, as the link
        takes them; may be endless. in_flight: pictures
        sent and not yet answered and consumed; 1 measures each latency alone. ordered: answers in the order of the
        pictures instead of the order in which they are done. options: see `SendOptions`; `counter` is that of the
        first picture.

        The stream begins with the first `next`. A picture's error is its own answer and the stream goes on. Should
        the stream itself break, the pictures on their way get that error as their answer and then it is raised; an
        exception of `pictures` is raised after the answers to those before it.
        """
        given = with_timeout(options, self.timeout)
        stream = _Stream(pictures, partial(build_request, options=given), self.address, in_flight)
        return stream.answers(self._stub.SendImages, Order(ordered))

    def ask_many(
        self,
        pairs: Iterable[tuple[Picture, str]],
        *,
        in_flight: int = IN_FLIGHT,
        ordered: bool = False,
        **options: Unpack[AskOptions],
    ) -> Iterator[Answer]:
        """Ask many questions over one stream; yields `(position, Delivery or SemLinkError)` for each.

            pairs = [("a.png", "what colour is the heart?"), ("b.png", "how many stars are there?")]
            for position, outcome in link.ask_many(pairs, snr_db=4):

        pairs: pictures with their questions, taken one by one; the same picture may come several times. options: see
        `AskOptions`. All else is as in `send_many`.
        """
        given = with_timeout(options, self.timeout)
        stream = _Stream(pairs, partial(build_pair, options=given), self.address, in_flight)
        return stream.answers(self._stub.SendImages, Order(ordered))


class _Stream:
    """One SendImages call.

        pictures --(gRPC's thread: requests)--> transmitter --(a thread of ours: read)--> inbox --> caller

    A place is taken before a picture is taken, and given back when the caller has consumed the answer and comes for
    the next, so neither a slow link nor a slow caller lets anything pile up.
    """

    def __init__(self, pictures: Iterable[Any], build: Build, address: str, in_flight: int) -> None:
        self._pictures = pictures
        self._places = threading.Semaphore(checked_in_flight(in_flight))
        self._inbox: SimpleQueue[Answer | None] = SimpleQueue()
        self._journal = Journal(build, address, self._inbox.put)
        self._closed = False

    def answers(self, send_images: Any, order: Order) -> Iterator[Answer]:
        call = send_images(self._requests())
        threading.Thread(target=self._read, args=(call,), name="semlink-answers", daemon=True).start()
        try:
            while (answer := self._inbox.get()) is not None:
                for ready in order.put(answer):
                    yield ready
                    self._places.release()
            if self._journal.raised is not None:
                raise self._journal.raised
        finally:
            self._closed = True
            self._places.release()
            call.cancel()

    def _requests(self) -> Iterator[api.SendImageRequest]:
        """Requests for gRPC; a picture that cannot become one is answered here."""
        with self._journal.taking():
            for position, picture in self._take():
                request = self._journal.request(position, picture)
                if isinstance(request, Answer):
                    self._inbox.put(request)
                else:
                    yield request

    def _take(self) -> Iterator[tuple[int, Any]]:
        numbered = enumerate(self._pictures)
        while True:
            self._places.acquire()
            if self._closed or (taken := next(numbered, None)) is None:
                return
            yield taken

    def _read(self, call: Iterable[api.SendImagesResponse]) -> None:
        with self._journal.reading():
            for response in call:
                self._journal.settle(response)
