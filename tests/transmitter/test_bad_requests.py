"""Bad pictures and bad requests: each has its own status, and the service goes on."""

import math
import struct
import zlib

import grpc

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import transmitter_pb2 as pb
from tests.tools.rpc import status_of
from tests.tools.transmitter import Near, png

Code = grpc.StatusCode


def png_header(width: int, height: int) -> bytes:
    """A PNG file that promises a size and holds nothing."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (chunk, data, b"IEND")
    )


BAD_PICTURES = [
    (b"", Code.INVALID_ARGUMENT, "0 bytes"),
    (b"this is no picture at all", Code.INVALID_ARGUMENT, "no image that can be read"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", Code.INVALID_ARGUMENT, "no image"),
    (png()[:-40], Code.INVALID_ARGUMENT, "truncated or damaged"),
    (png(kind="JPEG", size=(400, 300))[:900], Code.INVALID_ARGUMENT, "truncated or damaged"),
    (png()[:20], Code.INVALID_ARGUMENT, ""),
    (png_header(0, 7), Code.INVALID_ARGUMENT, ""),
    (png_header(7, 0), Code.INVALID_ARGUMENT, ""),
    (png_header(4, 4), Code.INVALID_ARGUMENT, "truncated or damaged"),
    (png_header(60_000, 60_000), Code.RESOURCE_EXHAUSTED, "pixels"),
    (png_header(8_001, 8_000), Code.RESOURCE_EXHAUSTED, "8001 x 8000 pixels, more than the limit of 64000000"),
    (b"\xff\xd8\xff" + bytes(32 << 20), Code.RESOURCE_EXHAUSTED, "33554435 bytes, more than the limit of 33554432"),
]


async def test_each_bad_picture_has_its_status_and_the_service_goes_on(near: Near) -> None:
    for image, code, text in BAD_PICTURES:
        found, message = await status_of(near.send(image))
        assert (found, text in message) == (code, True), (image[:20], found, message)
    assert near.far.bursts == []
    assert (await near.send()).item_id == "item-0"


async def test_bad_pictures_of_a_stream_are_answers_of_their_own(near: Near) -> None:
    bad = [image for image, _, _ in BAD_PICTURES if len(image) < 1 << 20]
    images = [image for one in bad for image in (one, png())]
    answers = await near.many([pb.SendImageRequest(image=image, request_id=n) for n, image in enumerate(images)])
    for number, image in enumerate(images):
        assert answers[number].WhichOneof("outcome") == ("delivery" if image == png() else "failure"), number
    codes = {image: code.value[0] for image, code, _ in BAD_PICTURES}
    assert all(answers[2 * n].failure.code == codes[image] for n, image in enumerate(bad))


async def test_a_message_beyond_the_cap_is_refused_by_grpc_and_the_service_goes_on(near: Near) -> None:
    request = pb.SendImageRequest(image=bytes(50 << 20))
    code, text = await status_of(near.stub.SendImage(request))
    assert code is Code.RESOURCE_EXHAUSTED
    assert "larger than max" in text
    assert (await near.send()).item_id == "item-0"


BAD_REQUESTS = [
    ({"codec": "jpeg"}, Code.NOT_FOUND, "no codec 'jpeg'; there are deepjscc, "),
    ({"codec": ""}, Code.NOT_FOUND, "no codec ''"),
    ({"k": 64}, Code.INVALID_ARGUMENT, "codec raw has no length k = 64; it has 512"),
    ({"k": 0}, Code.INVALID_ARGUMENT, "k = 0"),
    ({"codec": "kbsc", "k": 63}, Code.INVALID_ARGUMENT, "k = 63; it has 16, 64, 256"),
    ({"design_snr_db": 41.0}, Code.INVALID_ARGUMENT, "design_snr_db = 41"),
    ({"design_snr_db": math.nan}, Code.INVALID_ARGUMENT, "design_snr_db = nan"),
    ({"top_k": 101}, Code.INVALID_ARGUMENT, "top_k = 101"),
    ({"top_k": 0}, Code.INVALID_ARGUMENT, "top_k = 0"),
    ({"csi": 9}, Code.INVALID_ARGUMENT, "csi = 9"),
    ({"pilot_symbols": 0}, Code.INVALID_ARGUMENT, "pilot_symbols = 0"),
    ({"pilot_symbols": 1}, Code.INVALID_ARGUMENT, "pilot_symbols = 1"),
    ({"pilot_symbols": 1025}, Code.INVALID_ARGUMENT, "pilot_symbols = 1025"),
    ({"pilot_pattern": 9}, Code.INVALID_ARGUMENT, "pilot_pattern = 9"),
    ({"csi": common.CSI_NONE, "pilot_pattern": 2}, Code.INVALID_ARGUMENT, "pilot_pattern = scattered with csi none"),
    ({"csi": common.CSI_NONE, "pilot_symbols": 8}, Code.INVALID_ARGUMENT, "pilot_symbols = 8 with csi none"),
    ({"csi": common.CSI_PERFECT, "pilot_symbols": 8}, Code.INVALID_ARGUMENT, "with csi perfect"),
]


BAD_TIMEOUTS = [  # of a stream; a call has the deadline of gRPC
    ({"timeout_seconds": seconds}, Code.INVALID_ARGUMENT, f"timeout_seconds = {seconds}")
    for seconds in (-1.0, math.nan, math.inf)
]


async def test_each_bad_request_has_its_status_alone_and_in_a_stream(near: Near) -> None:
    for fields, code, text in BAD_REQUESTS:
        found, message = await status_of(near.send(**fields))
        assert (found, text in message) == (code, True), (fields, found, message)
    rows = BAD_REQUESTS + BAD_TIMEOUTS
    requests = [pb.SendImageRequest(image=png(), request_id=n, **fields) for n, (fields, _, _) in enumerate(rows)]
    answers = await near.many(requests)
    for number, (_, code, text) in enumerate(rows):
        assert answers[number].failure.code == code.value[0], text
        assert text in answers[number].failure.message
    assert near.far.bursts == []
