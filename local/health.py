"""Whether a service says that it is ready."""

from time import monotonic, sleep

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from client.connection import open_channel
from shared.errors import Unavailable


def is_serving(address: str, timeout: float = 1.0) -> bool:
    """Whether the standard gRPC health service at `address` answers SERVING within `timeout` seconds."""
    with open_channel(address) as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def wait_serving(address: str, timeout: float) -> None:
    """Wait until `address` serves. Raises Unavailable after `timeout` seconds."""
    deadline = monotonic() + timeout
    while not is_serving(address):
        if monotonic() > deadline:
            raise Unavailable(f"nothing ready at {address} after {timeout:g} s; is the address right, the service up?")
        sleep(0.2)
