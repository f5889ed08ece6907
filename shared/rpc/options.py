"""gRPC options of both ends, in one place because they must agree."""

from typing import Any, Final

PROXY_VARIABLE: Final = "SEMLINK_USE_PROXY"
"""Environment variable: 1 lets clients reach other machines through the proxy that http_proxy and its like name."""
MAX_MESSAGE_BYTES = 48 << 20
KEEPALIVE_MS = 20_000


def _common(max_message_bytes: int) -> list[tuple[str, Any]]:
    return [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def server_options(max_message_bytes: int = MAX_MESSAGE_BYTES) -> list[tuple[str, Any]]:
    """Options of a server: message cap, and leave for the keepalive that `channel_options` sends."""
    return [
        *_common(max_message_bytes),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
        ("grpc.http2.max_ping_strikes", 0),  # pings that a busy machine delivers together are no offence
        ("grpc.so_reuseport", 0),  # a port that is taken is an error, not a second server on it
    ]


def channel_options(max_message_bytes: int = MAX_MESSAGE_BYTES, *, use_proxy: bool = False) -> list[tuple[str, Any]]:
    """Options of a client: message cap, keepalive, and a reconnect soon after the far end is back.

    use_proxy: obey http_proxy and its like, as gRPC does by itself. A proxy of the network cannot reach this machine's
    loopback, and most let no HTTP/2 through, so the link's own hops never use one.
    """
    return [
        *_common(max_message_bytes),
        ("grpc.enable_http_proxy", int(use_proxy)),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 2_000),  # what an attempt may take, not the pause before it
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.lb_policy_name", "round_robin"),  # over all addresses of a name, stream by stream
        ("grpc.use_local_subchannel_pool", 1),  # one client's broken connection is not another's back-off
    ]
