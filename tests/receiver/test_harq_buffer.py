"""What a receiver keeps of pictures that arrive in rounds, over real sockets: order, duplicates, age, refusals."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

from local.supervisor import LocalLink
from receiver.decoder import equalize_bursts
from receiver.harq_buffer import HarqBuffer, Part
from receiver.service import ReceiverService
from receiver.settings import ReceiverSettings
from shared.clip import load_clip
from shared.codecs import codec_class
from shared.codecs.embedding.nested import Nested
from shared.errors import InvalidInput, Mismatch
from shared.frame.burst import Burst, CodecSpec
from shared.frame.reception import Reception
from shared.phy import ChannelSettings, place_pilots
from shared.phy import Link as Physics
from shared.rpc.burst_link import BurstLink, link_to_receiver
from shared.types import Complex
from tests.tools.rpc import PATIENCE, linked, make_burst, payload, remembering, serving

LENGTHS = Nested.lengths
CLIP = load_clip(device="cpu", precision="float32").fingerprint
CODECS = {k: Nested.load(k, "cpu") for k in LENGTHS}


def code(number: int) -> Complex:
    """The long code of some embedding: [128]."""
    drawn = np.random.default_rng(number).normal(size=(1, 512)).astype(np.float32)
    return CODECS[256].encode(drawn / np.linalg.norm(drawn))[0]


def rounds(session: int, *, snr_db: float = 0.0, draw: int | None = None) -> list[Burst]:
    """The bursts of one picture as they arrive, one for each length, over AWGN with pilots. draw: else the session."""
    stream = session if draw is None else draw
    physics, x, start, bursts = Physics.from_settings(ChannelSettings(snr_db=snr_db)), code(stream), 0, []
    for place, codec in enumerate(CODECS.values()):
        y = physics.transmit(place_pilots(x[start : codec.symbols], 8, "preamble"), stream, place).y
        spec = CodecSpec("nested", codec.k, codec.fingerprint, CLIP)
        own = {"session": session, "offset_symbols": start, "required_posterior": 1.0, "csi": "pilot", "trace": True}
        burst = make_burst(1000 * session + place, symbols=y, codec=spec, **own)
        bursts.append(dataclasses.replace(burst, pilot_symbols=8))
        start = codec.symbols
    return bursts


@asynccontextmanager
async def receiver(link: LocalLink, folder: Path, **settings: Any) -> AsyncIterator[tuple[str, ReceiverService]]:
    """A receiver in this loop that reads the knowledge base of the running link; its address."""
    chosen = ReceiverSettings(
        kb=link.plan.knowledge_base, read_only=True, device="cpu", grace_seconds=1, log_level="error", **settings
    )
    kind, found = remembering(ReceiverService)
    async with serving(kind, chosen, folder) as address:
        yield address, found[0]


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """One for each of two receivers."""
    found = [tmp_path / "one", tmp_path / "two"]
    for folder in found:
        folder.mkdir()
    return found


def answered(reception: Reception) -> dict[str, Any]:
    """What a reception says of the picture."""
    names = ("top", "confidence", "posterior", "request_more", "accepted", "snr_db_estimated")
    return {name: getattr(reception, name) for name in names}


def held(service: ReceiverService) -> int:
    return len(service._pipeline._harq_buffer)


async def in_order(hop: BurstLink, bursts: list[Burst]) -> list[Reception]:
    return [await hop.exchange(burst) for burst in bursts]


async def test_what_arrives_in_rounds_is_decoded_together(link: LocalLink, tmp_path: Path) -> None:
    """By hand: all parts that arrived, each with the noise that its own pilots told, through the codec at once."""
    async with receiver(link, tmp_path) as (address, service), linked(link_to_receiver(address)) as hop:
        answers = await in_order(hop, rounds(7, snr_db=-6.0))
        assert held(service) == 1
        again = await hop.exchange(rounds(7, snr_db=-6.0)[2])  # a duplicate that comes late
        later = await hop.exchange(rounds(7, snr_db=-6.0)[5])
        posteriors = service._pipeline._posteriors._known
    assert answered(again) == answered(answers[2])
    assert answered(later) == answered(answers[5])
    parts: list[Part] = []
    for answer, arrived, codec in zip(answers, rounds(7, snr_db=-6.0), CODECS.values(), strict=True):
        one = equalize_bursts([arrived], "zf")
        assert answer.trace.equalized.tobytes() == one.x_hat[0].tobytes()
        parts.append(Part(one.x_hat[0], one.n0_eff[0]))
        x_hat, n0_eff = (np.concatenate(column)[None] for column in zip(*parts, strict=True))
        decoded = codec.with_prior(posteriors[codec.fingerprint].posterior.log_prior).decode(x_hat, n0_eff)
        assert answer.posterior == pytest.approx(np.exp(decoded.log_posterior.max()), rel=1e-5)
    assert [answer.request_more for answer in answers] == [a.posterior < 1 for a in answers[:-1]] + [False]
    assert answers[0].posterior < 0.9 < answers[-1].posterior


async def test_rounds_of_one_batch_find_each_other(link: LocalLink, tmp_path: Path) -> None:
    """As in a replay: all at once, in order, of pictures mixed; the answers are those of one after the other."""
    async with receiver(link, tmp_path) as (address, _), linked(link_to_receiver(address)) as hop:
        slowly = [await in_order(hop, rounds(session)) for session in (1, 2, 3)]
        pictures = [rounds(session + 10, draw=session) for session in (1, 2, 3)]
        mixed = [burst for bursts in zip(*pictures, strict=True) for burst in bursts]
        at_once = await asyncio.gather(*(hop.exchange(burst) for burst in mixed))
    for place, one in enumerate(at_once):
        two = slowly[place % 3][place // 3]
        assert (one.top[0].label, one.burst_id) == (two.top[0].label, mixed[place].burst_id)
        assert one.posterior == pytest.approx(two.posterior, rel=1e-3)  # a batch rounds in another way


async def test_a_continuation_without_its_beginning_is_refused_by_name(link: LocalLink, tmp_path: Path) -> None:
    async with receiver(link, tmp_path) as (address, service), linked(link_to_receiver(address)) as hop:
        bursts = rounds(5)
        with pytest.raises(Mismatch, match=r"session 5 of codec nested holds 0 symbols here, the burst begins at 4"):
            await hop.exchange(bursts[1])
        assert held(service) == 0
        await in_order(hop, bursts[:2])
        with pytest.raises(Mismatch, match=r"holds 8 symbols here, the burst begins at 16; .* from its beginning"):
            await hop.exchange(bursts[3])  # the third is missing
        assert (await hop.exchange(bursts[2])).posterior is not None


async def test_a_burst_without_session_leaves_nothing_behind(link: LocalLink, tmp_path: Path) -> None:
    async with receiver(link, tmp_path) as (address, service), linked(link_to_receiver(address)) as hop:
        first = rounds(3)[0]
        alone = await hop.exchange(dataclasses.replace(first, session=0, required_posterior=0.0))
        assert held(service) == 0
        assert not alone.request_more
        kept = await hop.exchange(first)
        assert held(service) == 1
    assert answered(kept) | {"request_more": False} == answered(alone)


async def test_what_does_not_belong_together_is_refused(link: LocalLink, tmp_path: Path) -> None:
    raw = codec_class("raw").load(512, "cpu")
    async with receiver(link, tmp_path) as (address, _), linked(link_to_receiver(address)) as hop:
        spec = CodecSpec("raw", 512, raw.fingerprint, CLIP)
        with pytest.raises(InvalidInput, match="session 9 with codec raw, whose shorter code does not begin"):
            await hop.exchange(make_burst(1, codec=spec, session=9))
        wrong = dataclasses.replace(rounds(4)[1], offset_symbols=3)
        with pytest.raises(Mismatch, match="takes 8 payload symbols, the burst holds 4 from offset 3 on"):
            await hop.exchange(wrong)
        with pytest.raises(InvalidInput, match="without a session"):
            await hop.exchange(dataclasses.replace(rounds(4)[1], session=0))


async def test_sessions_end_by_age(link: LocalLink, tmp_path: Path) -> None:
    async with receiver(link, tmp_path) as (address, service), linked(link_to_receiver(address)) as hop:
        bursts = rounds(6)
        await hop.exchange(bursts[0])
        service._pipeline._harq_buffer._sessions._clock = lambda: monotonic() + 61
        with pytest.raises(Mismatch, match=r"session 6 .* kept for 60 s"):
            await hop.exchange(bursts[1])


async def test_rounds_reach_the_receiver_that_has_their_beginning(link: LocalLink, folders: list[Path]) -> None:
    """Two receivers behind one address, six streams: 60 pictures, each in three rounds, and both receivers work."""
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(receiver(link, folder)) for folder in folders]
        addresses = ",".join(address for address, _ in both)
        hop = await stack.enter_async_context(linked(link_to_receiver(f"ipv4:{addresses}", streams=6)))
        services = [service for _, service in both]
        async with asyncio.timeout(PATIENCE):  # both are connected soon, nothing tells when
            while not all(map(held, services)):
                hop.reset()
                await asyncio.sleep(0.2)
                await asyncio.gather(*(hop.exchange(rounds(session)[0]) for session in range(1001, 1007)))
        before = sum(map(held, services))
        pictures = await asyncio.gather(*(in_order(hop, rounds(session)[:3]) for session in range(1, 61)))
        assert all(len(answers) == 3 for answers in pictures)
        assert sum(map(held, services)) - before == 60


def part(size: int, value: float = 0.0) -> Part:
    return Part(np.full(size, value, np.complex64), np.full(size, value, np.float32))


def burst(session: int, offset: int, name: str = "nested") -> Burst:
    return make_burst(1, symbols=payload(4), codec=CodecSpec(name, 8, "", ""), session=session, offset_symbols=offset)


def test_the_least_used_goes_first_and_age_counts_from_the_last_use() -> None:
    now = 0.0
    buffer = HarqBuffer(most=2, seconds=10, clock=lambda: now)
    for session in (1, 2):
        buffer.join(burst(session, 0), part(4))
    buffer.join(burst(1, 4), part(4))
    buffer.join(burst(3, 0), part(4))  # 2 is forgotten: 1 was used after it
    assert len(buffer) == 2
    with pytest.raises(Mismatch, match="session 2"):
        buffer.join(burst(2, 4), part(4))
    now = 9.0
    assert buffer.join(burst(1, 8), part(8)).x_hat.size == 16
    now = 12.0  # 3 is too old, 1 is not
    assert buffer.join(burst(1, 8), part(8)).x_hat.size == 16
    assert len(buffer) == 1
    now = 30.0
    with pytest.raises(Mismatch, match="session 1"):
        buffer.join(burst(1, 16), part(4))
    assert len(buffer) == 0


def test_parts_are_joined_by_their_place() -> None:
    """A duplicate replaces itself, a new beginning of another length takes the place of the old one."""
    buffer = HarqBuffer(most=4, seconds=60)
    buffer.join(burst(1, 0), part(4, 1))
    for _ in range(2):
        joined = buffer.join(burst(1, 4), part(4, 2))
        assert joined.x_hat.real.tolist() == joined.n0_eff.tolist() == [1] * 4 + [2] * 4
    assert buffer.join(burst(1, 0), part(8, 3)).n0_eff.tolist() == [3] * 8
    assert buffer.join(burst(1, 8), part(2, 4)).n0_eff.tolist() == [3] * 8 + [4] * 2
    with pytest.raises(Mismatch, match="holds 10 symbols here, the burst begins at 9"):
        buffer.join(burst(1, 9), part(4))
    with pytest.raises(Mismatch, match="codec other holds 0 symbols"):
        buffer.join(burst(1, 8, "other"), part(4))
    assert buffer.join(burst(0, 0), part(4)).x_hat.size == 4
    assert len(buffer) == 1
