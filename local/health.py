"""Whether a service is ready, as the standard gRPC health service says."""

import math

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from shared.errors import Unavailable
from shared.rpc.dial import Dialer


def is_serving(address: str, timeout: float = 1.0) -> bool:
    """Whether `address` answers SERVING within `timeout` seconds."""
    with Dialer(address).channel(use_proxy=False) as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def wait_serving(address: str, timeout: float) -> None:
    """Wait until `address` serves; it may be down at first. timeout: seconds, math.inf for no limit.

    Raises Unavailable if it does not serve in time, or ends meanwhile.
    """
    with Dialer(address).channel(use_proxy=False) as channel:
        states = HealthStub(channel).Watch(
            HealthCheckRequest(), timeout=None if math.isinf(timeout) else timeout, wait_for_ready=True
        )
        try:
            serving = any(answer.status == HealthCheckResponse.SERVING for answer in states)
        except grpc.RpcError:
            serving = False
    if not serving:
        raise Unavailable(f"nothing ready at {address} after {timeout:g} s; is the address right, the service up?")
