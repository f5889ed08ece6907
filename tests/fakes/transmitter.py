"""A transmitter of a few lines, for what the client does at the edges."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import sleep
from typing import Any

import grpc

from protos.semlink.v1 import common_pb2 as pb
from protos.semlink.v1 import transmitter_pb2 as api
from protos.semlink.v1.transmitter_pb2_grpc import TransmitterServicer, add_TransmitterServicer_to_server

Answer = Callable[[api.SendImageRequest], api.SendImagesResponse]


def delivery(request: api.SendImageRequest) -> api.Delivery:
    """An answer whose label is the picture's bytes as text."""
    measured, emulated = pb.LedgerEntry.KIND_MEASURED, pb.LedgerEntry.KIND_EMULATED
    entries = [("encode", 1e-5, measured), ("airtime", 2e-3, emulated), ("search", 2e-5, measured)]
    return api.Delivery(
        item_id="item",
        label=request.image.decode(errors="replace"),
        codec="kbsc",
        k=64,
        channel=pb.ChannelReport(
            settings=pb.ChannelSettings(snr_db=float("inf")),
            snr_db_achieved=float("inf"),
            counter=request.counter,
        ),
        ledger=[pb.LedgerEntry(stage=stage, seconds=seconds, kind=kind) for stage, seconds, kind in entries],
        total_seconds=2.03e-3,
    )


class FakeTransmitter(TransmitterServicer):
    """Answers `fail...` with a failure and everything else with a delivery; remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[api.SendImageRequest] = []
        self.reverse = 1  # answers are given in reversed groups of this size
        self.break_after: int | None = None
        self.hold = threading.Event()
        self.hold.set()

    def SendImage(self, request: api.SendImageRequest, context: Any) -> api.Delivery:  # noqa: N802
        self.requests.append(request)
        if request.image == b"slow":
            sleep(2)
        if request.image.startswith(b"fail"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not a picture")
        return delivery(request)

    def SendImages(  # noqa: N802
        self, requests: Iterator[api.SendImageRequest], context: Any
    ) -> Iterator[api.SendImagesResponse]:
        group: list[api.SendImagesResponse] = []
        for count, request in enumerate(requests):
            self.requests.append(request)
            if count == self.break_after:
                context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
            self.hold.wait()
            group.append(self._response(request))
            if len(group) == self.reverse:
                yield from reversed(group)
                group = []
        yield from reversed(group)

    def Describe(self, request: Any, context: Any) -> api.TransmitterDescription:  # noqa: N802
        return api.TransmitterDescription(version="1", clip="clip-tiny", default_codec=pb.CodecSpec(codec="kbsc", k=64))

    def _response(self, request: api.SendImageRequest) -> api.SendImagesResponse:
        if request.image.startswith(b"fail"):
            failure = pb.Failure(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="not a picture")
            return api.SendImagesResponse(request_id=request.request_id, failure=failure)
        return api.SendImagesResponse(request_id=request.request_id, delivery=delivery(request))


@contextmanager
def serve(servicer: FakeTransmitter) -> Iterator[str]:
    """The servicer on a port of its own; yields the address."""
    server = grpc.server(ThreadPoolExecutor(8))
    add_TransmitterServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        servicer.hold.set()
        server.stop(0)
