"""Keepalive pings that a busy machine held up and delivers together do not end a connection."""

import asyncio
import struct
from pathlib import Path

from channel_proxy.service import ChannelService
from channel_proxy.settings import ProxySettings
from tests.tools.rpc import PATIENCE, serving

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, ACK = 4, 6, 7, 1


def frame(kind: int, flags: int = 0, payload: bytes = b"") -> bytes:
    """A frame of the connection, RFC 9113, section 4.1."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + bytes(4) + payload


async def acknowledged(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read on until a ping is acknowledged."""
    while True:
        header = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
        kind, answer = header[3], header[4] & ACK
        assert kind != GOAWAY, payload
        if kind == PING and answer:
            return
        if kind in (PING, SETTINGS) and not answer:
            writer.write(frame(kind, ACK, payload if kind == PING else b""))


async def test_pings_that_come_one_upon_the_other_are_answered(tmp_path: Path) -> None:
    settings = ProxySettings(receiver_address="127.0.0.1:1", grace_seconds=1, log_level="error")
    async with serving(ChannelService, settings, tmp_path) as address, asyncio.timeout(PATIENCE):
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE + frame(SETTINGS))
        for number in range(30):
            writer.write(frame(PING, payload=struct.pack(">Q", number)))
            await acknowledged(reader, writer)
        writer.close()
