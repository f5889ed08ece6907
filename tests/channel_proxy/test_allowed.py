"""What a receiver gets is what a real one could have: poisoned messages, looked at behind the channel."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as pb
from shared.errors import InvalidInput, Unconfigured
from shared.frame.burst import CodecSpec, LinkConfiguration
from shared.frame.symbols import pack_symbols
from shared.wire.failure import error_from_failure
from tests.tools.proxy import proxy
from tests.tools.rpc import payload

SECRET = b"a text that must not arrive"
UNKNOWN = bytes.fromhex("fa3f") + bytes([len(SECRET)]) + SECRET  # field 1023, which no version has
VERSION = 2**40 + 9
ALLOWED = {  # written down once more, so that a field more is noticed
    common.FRAMING_IMPLICIT: {
        "burst_id", "symbols", "timeout_seconds", "grid", "framing", "configuration", "session", "round",
        "pilot_pattern",
    },
    common.FRAMING_EXPLICIT: {
        "burst_id", "symbols", "timeout_seconds", "grid", "framing", "configuration", "pilot_pattern",
    },
    common.FRAMING_IDEAL: {
        "burst_id", "symbols", "timeout_seconds", "grid", "framing", "codec", "csi", "pilot_symbols", "payload_symbols",
        "pilot_pattern", "header_symbols", "top_k", "trace", "session", "round", "offset_symbols", "required_posterior",
    },
}  # fmt: skip


def poisoned(framing: Any, variant: int) -> pb.Burst:
    """A burst with something in every field; its variants differ in all that is not on the air."""
    number = 1000 * (variant + 1)
    message = pb.Burst(
        burst_id=number,
        stream=number + 1,
        counter=number + 2,
        codec=common.CodecSpec(codec="raw", k=512, fingerprint="c0ffee", clip_fingerprint="c11b", mode=variant),
        pilot_symbols=8,
        payload_symbols=56,
        symbols=pack_symbols(payload(72)),
        csi=common.CSI_PILOT,
        timeout_seconds=30.0,
        top_k=70 + variant,
        trace=True,
        channel_override=common.ChannelSettings(snr_db=float("inf"), fading=common.FADING_NONE),
        genie=pb.Genie(gain=pack_symbols(payload(1)), n0=0.5),
        pilot_pattern=common.PILOT_PATTERN_SCATTERED,
        grid=pb.OfdmGrid(fft_size=64, cyclic_prefix_symbols=3 + variant),
        session=number + 3,
        offset_symbols=4 + variant,
        required_posterior=0.25 + variant / 100,
        framing=framing,
        configuration=VERSION,
        round=2,
        header_symbols=8,
    )
    return pb.Burst.FromString(message.SerializeToString() + UNKNOWN)


def names(message: Any) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


async def passed(link: Any, far: Any, messages: list[pb.Burst]) -> list[pb.Burst]:
    await link.configure(CONFIGURATION)
    for message in messages:
        answer = await link.exchange_message(message)
        assert answer.burst_id == message.burst_id
        assert answer.channel.counter == message.counter, "the sender alone is told"
    return list(far.bursts)


CONFIGURATION = LinkConfiguration(VERSION, "implicit", (CodecSpec("raw", 512, "c0ffee", "c11b"),), (0.0,), "none")


@pytest.mark.parametrize("framing", ALLOWED)
async def test_only_allowed_fields_arrive_and_nothing_unknown(tmp_path: Path, framing: Any) -> None:
    async with proxy(tmp_path) as (link, far, _):
        arrived = await passed(link, far, [poisoned(framing, variant) for variant in range(2)])
    for message in arrived:
        assert names(message) <= ALLOWED[framing]
        data = message.SerializeToString()
        assert SECRET not in data
        assert message == pb.Burst.FromString(data)
        message.DiscardUnknownFields()
        assert message.SerializeToString() == data, "no unknown fields"


@pytest.mark.parametrize("framing", [common.FRAMING_IMPLICIT, common.FRAMING_EXPLICIT])
async def test_without_a_genie_bursts_that_sound_alike_look_alike(tmp_path: Path, framing: Any) -> None:
    """Nothing but numbers that say nothing tells two bursts apart whose messages differ in every field."""
    async with proxy(tmp_path) as (link, far, _):
        one, two = await passed(link, far, [poisoned(framing, variant) for variant in range(2)])
    assert one.symbols == two.symbols == pack_symbols(payload(72))
    for number in (one.burst_id, two.burst_id, one.session, two.session):
        assert number not in range(900, 3000)
    assert (one.session == 0) == (framing == common.FRAMING_EXPLICIT)
    for message in (one, two):
        assert 0 < message.timeout_seconds <= 30
        for field in ("burst_id", "session", "timeout_seconds"):
            message.ClearField(field)
    assert one == two


async def test_the_same_session_keeps_one_other_number(tmp_path: Path) -> None:
    messages = [poisoned(common.FRAMING_IMPLICIT, variant) for variant in (0, 1, 0)]
    messages[2].burst_id += 500
    async with proxy(tmp_path) as (link, far, _):
        one, two, three = await passed(link, far, messages)
    assert one.session == three.session != two.session
    assert len({one.burst_id, two.burst_id, three.burst_id}) == 3


async def test_a_genie_is_that_of_the_channel_and_only_with_perfect_csi(tmp_path: Path) -> None:
    message = poisoned(common.FRAMING_IMPLICIT, 0)
    message.csi, message.pilot_symbols, message.payload_symbols = common.CSI_PERFECT, 0, 64
    async with proxy(tmp_path) as (link, far, _):
        (arrived,) = await passed(link, far, [message])
    assert (arrived.genie.n0, np.frombuffer(arrived.genie.gain, np.complex64).tolist()) == (0.0, [1.0])


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"fingerprint": "the picture shows a cat"}, "fingerprint 'the picture shows a cat'"),
        ({"clip_fingerprint": "0" * 17}, "fingerprint '00000000000000000'"),
        ({"codec": "raw\nand a cat"}, "codec 'raw"),
        ({"codec": "x" * 65}, "64 letters at most"),
    ],
)
async def test_text_is_refused_in_bursts_and_in_configurations(
    tmp_path: Path, fields: dict[str, str], text: str
) -> None:
    burst = poisoned(common.FRAMING_IDEAL, 0)
    control = pb.Burst(
        burst_id=1, configure=pb.Configure(version=1, framing=common.FRAMING_IMPLICIT, csi=common.CSI_NONE)
    )
    control.configure.codecs.append(burst.codec)
    control.configure.required_posteriors.append(0.0)
    for codec in (burst.codec, control.configure.codecs[0]):
        for name, value in fields.items():
            setattr(codec, name, value)
    async with proxy(tmp_path) as (link, far, _):
        for message in (burst, control):
            with pytest.raises(InvalidInput) as refused:
                await link.exchange_message(message)
            assert text in str(refused.value)
        assert not far.bursts
        assert not far.configurations


async def test_a_configuration_is_made_anew_too_and_acknowledged_to_the_sender(tmp_path: Path) -> None:
    async with proxy(tmp_path) as (link, far, _):
        await link.configure(CONFIGURATION)
        control = pb.Burst(burst_id=77, stream=5, session=6, symbols=b"12345678")
        control.configure.CopyFrom(far.configurations[0])
        poisoned_too = pb.Burst.FromString(control.SerializeToString() + UNKNOWN)
        poisoned_too.configure.MergeFromString(UNKNOWN)
        answer = await link.exchange_message(poisoned_too)
        assert (answer.burst_id, answer.configured) == (77, VERSION)
        assert far.configurations[1] == far.configurations[0]
        assert SECRET not in far.configurations[1].SerializeToString()


async def test_a_burst_whose_configuration_never_passed_is_refused(tmp_path: Path) -> None:
    async with proxy(tmp_path) as (link, far, _):
        stream = link._current_stream()
        answer = await stream.exchange(poisoned(common.FRAMING_IMPLICIT, 0))
        assert answer.failure.code == 9
        assert isinstance(error_from_failure(answer.failure), Unconfigured)
        assert "configure the link" in answer.failure.message
        assert not far.bursts


async def test_every_stream_to_the_receiver_is_configured(tmp_path: Path) -> None:
    async with proxy(tmp_path, receiver_streams=3) as (link, far, _):
        await asyncio.wait_for(link.configure(CONFIGURATION), 30)
        assert (len(far.configurations), far.streams) == (3, 3)
