"""A transmitter with a channel of a few lines behind it."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from protos.semlink.v1 import transmitter_pb2 as pb
from protos.semlink.v1 import transmitter_pb2_grpc as rpc
from tests.tools.rpc import FarEnd, dialled, far_end, serving
from transmitter.service import TransmitterService
from transmitter.settings import TransmitterSettings


def png(seed: int = 0, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    """A picture file of coarse noise."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


class Near:
    """A transmitter, its stub, and the channel behind it."""

    def __init__(self, far: FarEnd, stub: Any) -> None:
        self.far, self.stub = far, stub

    async def send(self, image: bytes | None = None, **fields: Any) -> pb.Delivery:
        request = pb.SendImageRequest(image=png() if image is None else image, **fields)
        return await self.stub.SendImage(request, timeout=60)

    async def many(self, requests: list[pb.SendImageRequest]) -> dict[int, pb.SendImagesResponse]:
        call = self.stub.SendImages(iter(requests))
        answers = [answer async for answer in call]
        assert len({answer.request_id for answer in answers}) == len(answers) == len(requests)
        return {answer.request_id: answer for answer in answers}


@asynccontextmanager
async def transmitting(tmp_path: Path, **settings: Any) -> AsyncIterator[Near]:
    far = FarEnd()
    async with far_end(far) as channel_address:
        own = {"channel_address": channel_address, "codec": "raw", "device": "cpu", "log_level": "error"}
        chosen = TransmitterSettings(**(own | {"grace_seconds": 1} | settings))
        async with serving(TransmitterService, chosen, tmp_path) as address, dialled(address) as channel:
            yield Near(far, rpc.TransmitterStub(channel))
            far.open.set()
