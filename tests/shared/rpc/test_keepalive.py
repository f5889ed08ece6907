"""Keepalive pings that a busy machine held up and delivers together do not end a connection."""

import asyncio
import struct
from pathlib import Path

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from tests.tools.rpc import PATIENCE, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, ACK = 4, 6, 7, 1
PINGS = 30


def frame(kind: int, flags: int = 0, payload: bytes = b"") -> bytes:
    """A frame of the connection, RFC 9113, section 4.1."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + bytes(4) + payload


async def test_pings_that_come_all_at_once_are_answered(tmp_path: Path) -> None:
    settings = ProxySettings(receiver_address="127.0.0.1:1", grace_seconds=1, log_level="error")
    async with serving(ChannelService, settings, tmp_path) as address, asyncio.timeout(PATIENCE):
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        pings = b"".join(frame(PING, payload=struct.pack(">Q", number)) for number in range(PINGS))
        writer.write(PREFACE + frame(SETTINGS) + pings)
        answered = 0
        while answered < PINGS:
            header = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
            assert header[3] != GOAWAY, payload
            if header[3] == PING and header[4] & ACK:
                answered += 1
            elif header[3] == PING:
                writer.write(frame(PING, ACK, payload))
            elif header[3] == SETTINGS and not header[4] & ACK:
                writer.write(frame(SETTINGS, ACK))
        writer.close()
