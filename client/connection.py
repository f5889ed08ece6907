"""Addresses, channels, and gRPC's errors as SemLink's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from client.options import checked_timeout
from shared import errors
from shared.rpc.dial import Dialer, Security
from shared.rpc.status import error_from_rpc

TRANSMITTER = "127.0.0.1:50051"
CHANNEL = "127.0.0.1:50052"
RECEIVER = "127.0.0.1:50053"

Answered = TypeVar("Answered")

# Beginnings of what gRPC itself says; a service that lost the next hop begins with that hop's address.
_TRANSPORT = (
    "connections to all backends failing",
    "failed to connect",
    "Socket closed",
    "DNS resolution",
    "recvmsg",
    "GOAWAY",
    "ping timeout",
)


_TLS = (
    ("certificate has expired", "the certificate of {} has expired: its operator renews it, `semlink certs renew DIR`"),
    ("CERTIFICATE_VERIFY_FAILED", "the certificate of {} does not come from those in --tls-ca: check both"),
    ("is not in peer certificate", "the certificate of {} is for another name: use that one, or renew it with --host"),
    (
        "WRONG_VERSION_NUMBER",
        "{} does not speak TLS: leave https:// and --tls-ca out, or start it with --tls-cert and --tls-key",
    ),
    ("andshake failed", "TLS with {} failed"),
    (
        "Socket closed",
        "{} closed the connection: it is stopping, or it wants TLS (--tls-ca), or a certificate that it accepts "
        "(--tls-cert, --tls-key)",
    ),
)
"""Parts of what gRPC itself says, and what they mean."""


class Client:
    """A connection that closes with its context.

    address: HOST:PORT of the service. timeout: seconds that a call may take where it says nothing else.
    security: certificates and token; None takes those of the environment.
    """

    def __init__(self, address: str, timeout: float, security: Security | None = None) -> None:
        dialer = Dialer(address, security)
        self.address = dialer.address
        self.timeout = timeout
        checked_timeout(timeout)
        self._channel: grpc.Channel = dialer.channel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._channel.close()

    def _call(self, method: Callable[..., Answered], request: Message, timeout: float | None = None) -> Answered:
        """The answer to one request. timeout: seconds, where the connection's does not suit."""
        with rpc_errors(self.address):
            return method(request, timeout=checked_timeout(timeout or self.timeout))

    def _stream(self, call: Any) -> Iterator[Any]:
        """The messages of a stream, which is cancelled when the caller wants no more."""
        try:
            with rpc_errors(self.address):
                yield from call
        finally:
            call.cancel()


@contextmanager
def rpc_errors(address: str) -> Iterator[None]:
    """Raise what gRPC raises in the body as SemLink's errors, naming the address where gRPC itself gave up."""
    try:
        yield
    except grpc.RpcError as error:
        raise error_of(error, address) from error


def error_of(error: grpc.RpcError, address: str) -> errors.SemLinkError:
    """The SemLink error of a failed call to `address`."""
    found = error_from_rpc(error)
    if isinstance(found, errors.Expired) and "Deadline Exceeded" in str(found):
        return errors.Expired(f"{address} did not answer before the deadline; give it more with timeout")
    if isinstance(found, errors.Unavailable) and str(found).startswith(_TRANSPORT):
        return errors.Unavailable(f"{_why_not(address, str(found))} ({found})")
    return found


def _why_not(address: str, told: str) -> str:
    """What gRPC's words for a connection that did not come about mean."""
    for words, meaning in _TLS:
        if words in told:
            return meaning.format(address)
    return f"nothing answers at {address}; `semlink up` starts the services"
