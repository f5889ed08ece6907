import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from time import monotonic

import pytest
from PIL import Image

from client import AsyncSemLink, ChannelControl, Delivery, SemLink
from client.pictures import MAX_PICTURE_BYTES
from shared.errors import Exhausted, Expired, InvalidInput, InvalidPicture, InvalidSetting, NotFound, Unavailable
from shared.ledger import Kind
from tests.fakes.transmitter import FakeTransmitter

# --- one picture -----------------------------------------------------------------------------------------------------


def test_ledger_sums_to_own_round_trip_plus_emulated_stages(link: SemLink) -> None:
    start = monotonic()
    delivery = link.send(b"a")
    elapsed = monotonic() - start
    assert delivery.total_seconds == pytest.approx(math.fsum(entry.seconds for entry in delivery.ledger), abs=1e-12)
    assert all(entry.seconds >= 0 for entry in delivery.ledger)
    measured = sum(entry.seconds for entry in delivery.ledger if entry.kind is Kind.MEASURED)
    assert 0 < measured <= elapsed
    assert delivery.total_seconds - measured == pytest.approx(2e-3)
    assert [entry.stage for entry in delivery.ledger].count("access") == 1


def test_json_is_strict_and_has_the_promised_keys(link: SemLink) -> None:
    document = json.loads(json.dumps(link.send(b"a", counter=9).to_json(), allow_nan=False))
    wanted = {
        "item_id", "label", "distance", "confidence", "accepted", "top", "codec", "k", "cbr", "cbr_total", "channel",
        "ledger", "total_seconds",
    }  # fmt: skip
    assert wanted <= document.keys()
    assert {"snr_db_asked", "snr_db_achieved", "fading", "seed", "counter"} <= document["channel"].keys()
    assert document["channel"]["snr_db_asked"] is None
    assert document["channel"]["counter"] == 9
    assert {entry["kind"] for entry in document["ledger"]} == {"measured", "emulated"}


def test_options_reach_the_wire(link: SemLink, fake: FakeTransmitter) -> None:
    link.send(b"a", codec="raw", k=512, snr_db=-3, fading="rayleigh", seed=2**64 - 1, csi="pilot", pilot_symbols=4)
    request = fake.requests[0]
    assert (request.codec, request.k, request.pilot_symbols) == ("raw", 512, 4)
    assert (request.channel_override.snr_db, request.channel_override.seed) == (-3, 2**64 - 1)
    assert not request.HasField("counter")


def test_no_channel_option_leaves_the_channel_alone(link: SemLink, fake: FakeTransmitter) -> None:
    link.send(b"a")
    assert not fake.requests[0].HasField("channel_override")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"fading": "fog"}, "fog"),
        ({"csi": "genie"}, "genie"),
        ({"k": -1}, "-1"),
        ({"seed": 2**64}, str(2**64)),
        ({"timeout": 0}, "timeout = 0"),
        ({"timeout": math.nan}, "timeout = nan"),
    ],
)
def test_wrong_option_names_itself(link: SemLink, options: dict, named: str) -> None:
    with pytest.raises(InvalidSetting, match=named):
        link.send(b"a", **options)


def test_unknown_option_is_a_programming_error(link: SemLink) -> None:
    with pytest.raises(TypeError, match="snr"):
        link.send(b"a", snr=3)


def test_picture_from_path_bytes_and_pil(link: SemLink, fake: FakeTransmitter, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("CMYK", (3, 2)).convert("RGB").save(file)
    link.send(file)
    link.send(str(file))
    link.send(file.read_bytes())
    link.send(Image.new("CMYK", (3, 2)))
    assert fake.requests[0].image == fake.requests[1].image == fake.requests[2].image
    assert fake.requests[3].image.startswith(b"\x89PNG")


def test_bad_pictures_name_the_file(link: SemLink, tmp_path: Path) -> None:
    with pytest.raises(InvalidPicture, match="is a folder"):
        link.send(tmp_path)
    with pytest.raises(NotFound, match=r"none\.png"):
        link.send(tmp_path / "none.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(InvalidPicture, match=r"empty\.png is empty"):
        link.send(tmp_path / "empty.png")
    with pytest.raises(InvalidPicture, match="int is no picture"):
        link.send(3)
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(MAX_PICTURE_BYTES + 1)
    with pytest.raises(Exhausted, match=r"huge\.png"):
        link.send(tmp_path / "huge.png")


def test_errors_of_the_service_and_of_the_way_there(link: SemLink) -> None:
    with pytest.raises(InvalidInput, match="not a picture"):
        link.send(b"fail")
    with pytest.raises(Expired, match=link.address):
        link.send(b"slow", timeout=0.1)
    with SemLink("127.0.0.1:1") as nowhere, pytest.raises(Unavailable, match=r"nothing answers at 127\.0\.0\.1:1"):
        nowhere.send(b"a")


@pytest.mark.parametrize("address", ["", "localhost", ":50051", "a:0", "a:70000", "a:b", "a:٣"])
def test_wrong_address_says_what_is_wanted(address: str) -> None:
    with pytest.raises(InvalidSetting, match="HOST:PORT"):
        SemLink(address)
    with pytest.raises(InvalidSetting, match="HOST:PORT"):
        ChannelControl(address)


# --- many pictures ---------------------------------------------------------------------------------------------------


# --- the asynchronous twin --------------------------------------------------------------------------------------------


async def test_async_send_and_describe(address: str) -> None:
    async with AsyncSemLink(address) as link:
        assert (await link.send(b"a")).label == "a"
        assert (await link.describe()).default_codec.k == 64
        with pytest.raises(InvalidInput, match="not a picture"):
            await link.send(b"fail")


async def test_async_send_many(address: str, fake: FakeTransmitter) -> None:
    fake.reverse = 3

    async def pictures() -> AsyncIterator[bytes]:
        for number in range(20):
            yield b"fail" if number == 7 else str(number).encode()
            await asyncio.sleep(0)

    async with AsyncSemLink(address) as link:
        answers = [answer async for answer in link.send_many(pictures(), in_flight=6, ordered=True)]
    assert [answer.position for answer in answers] == list(range(20))
    assert isinstance(answers[7].outcome, InvalidInput)
    assert answers[8].outcome.label == "8"


async def test_async_backpressure_and_leaving_early(address: str) -> None:
    taken = []
    async with AsyncSemLink(address) as link:
        answers = link.send_many((taken.append(n) or b"x" for n in count()), in_flight=4)
        for _ in range(20):
            await anext(answers)
        await answers.aclose()
    assert len(taken) <= 24


async def test_async_errors_of_stream_and_iterable(address: str, fake: FakeTransmitter) -> None:
    def pictures() -> Iterator[bytes]:
        yield b"0"
        raise RuntimeError("camera unplugged")

    async with AsyncSemLink(address) as link:
        with pytest.raises(RuntimeError, match="camera unplugged"):
            [answer async for answer in link.send_many(pictures())]
        fake.break_after = 2
        answers = link.send_many([b"x"] * 9, in_flight=4, ordered=True)
        assert [type((await anext(answers)).outcome) for _ in range(3)] == [Delivery, Delivery, Unavailable]
        # Under load gRPC may lose the reason of a stream that it is still writing to.
        with pytest.raises(Unavailable, match=r"going down|connection was lost"):
            [answer async for answer in answers]
