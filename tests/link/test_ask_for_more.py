"""Asking for more over the three processes: rounds that stop, what they cost, and faults."""

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client import ChannelControl, Delivery, Kind, SemLink
from client.options import ROUNDS
from client.recording import RecordingWriter, read_recording
from local.supervisor import LocalLink
from shared.codecs import CODECS, codec_class
from shared.codecs.embedding.nested import Nested
from shared.errors import InvalidInput, Lost
from shared.frame.reception import Reception
from shared.phy import ChannelSettings
from shared.phy.conditions.faults import draw_faults
from shared.rpc.burst_link import link_to_channel
from shared.runtime.deadline import Deadline
from tests.tools.rpc import FarEnd, echo, far_end, linked, make_burst
from transmitter.harq import exchange_rounds

Pictures = list[tuple[str, bytes]]
LENGTHS = Nested.lengths
VALUES = 3 * 64 * 64


def asked(client: SemLink, pictures: Pictures, **options: Any) -> list[Delivery]:
    """Deliveries in the order of the pictures, counted from 100."""
    options = {"codec": "nested", "ask_for_more": True, "counter": 100, "snr_db": 0.0, "seed": 4, **options}
    answers = client.send_many([data for _, data in pictures], ordered=True, **options)
    found = [answer.outcome for answer in answers]
    assert all(isinstance(outcome, Delivery) for outcome in found), found
    return found


def accuracy(found: list[Delivery], pictures: Pictures) -> float:
    return float(np.mean([delivery.label == label for delivery, (label, _) in zip(found, pictures, strict=True)]))


def test_it_asks_until_it_is_certain_and_no_longer(client: SemLink, drawn_pngs: Pictures) -> None:
    """0 dB, pilots. The codec's card has 0.87 for k = 16 and 0.99 for 32; the standard error of 100 is under 0.035."""
    pictures = drawn_pngs[:100]
    found = asked(client, pictures)
    for place, delivery in enumerate(found):
        rounds = delivery.rounds
        assert tuple(one.k for one in rounds) == LENGTHS[: len(rounds)]
        assert [one.counter for one in rounds] == [100 + ROUNDS * place + number for number in range(len(rounds))]
        wanted = [1 - 0.01 * one.k / LENGTHS[0] for one in rounds]  # the next round is as long as all before it
        assert all(one.posterior < least for one, least in zip(rounds[:-1], wanted, strict=False))
        assert rounds[-1].posterior >= wanted[-1] or rounds[-1].k == 256
        assert (rounds[-1].k, rounds[-1].confidence) == (delivery.k, delivery.confidence)
        assert delivery.cbr == pytest.approx(delivery.k / 2 / VALUES)
        assert delivery.cbr_total == pytest.approx((delivery.k / 2 + len(rounds) * 8) / VALUES)
        assert delivery.cbr_total == pytest.approx(sum(one.cbr_total for one in rounds))
        assert not any(one.failure for one in rounds)
    lengths = {delivery.k for delivery in found}
    assert len(lengths) >= 3, lengths
    assert np.mean([delivery.k for delivery in found]) < 40
    assert accuracy(found, pictures) > 0.88


def test_how_certain_is_for_the_asker_to_say(client: SemLink, drawn_pngs: Pictures) -> None:
    pictures = drawn_pngs[:20]
    few, many = (asked(client, pictures, certainty=certainty) for certainty in (0.3, 0.999))
    assert all(one.k <= two.k for one, two in zip(few, many, strict=True))  # the same draws
    assert sum(one.k for one in few) < sum(two.k for two in many)
    for delivery in asked(client, pictures, k=16, k_max=64, certainty=1.0, snr_db=-8.0):
        assert [one.k for one in delivery.rounds] == [16, 32, 64]
    (single,) = asked(client, pictures[:1], k=32, k_max=32, certainty=1.0)
    assert [one.k for one in single.rounds] == [32]
    assert client.send(pictures[0][1], codec="nested", k=32).rounds == ()


def test_the_ledger_adds_up_over_all_rounds(client: SemLink, drawn_pngs: Pictures) -> None:
    options = {"symbol_rate_hz": 1e4, "propagation_seconds": 0.125, "k_max": 32, "certainty": 1.0, "snr_db": -8.0}
    for delivery in asked(client, drawn_pngs[:10], **options):
        assert len(delivery.rounds) == 3
        assert len({(entry.stage, entry.kind) for entry in delivery.ledger}) == len(delivery.ledger), "each stage once"
        assert all(entry.seconds >= 0 for entry in delivery.ledger)
        assert math.fsum(e.seconds for e in delivery.ledger) == pytest.approx(delivery.total_seconds, rel=1e-9)
        emulated = {e.stage: e.seconds for e in delivery.ledger if e.kind is Kind.EMULATED}
        airtime = (16 + 3 * 8) / 1e4
        assert emulated == {"airtime": pytest.approx(airtime), "propagation": pytest.approx(3 * 0.125)}
        of_rounds = math.fsum(one.seconds for one in delivery.rounds)
        assert sum(emulated.values()) < of_rounds <= delivery.total_seconds + 1e-9


def what_it_says(delivery: Delivery) -> tuple[Any, ...]:
    """All but the times, and how a batch of another size rounds."""
    certainties = [round(one.posterior, 3) for one in delivery.rounds]
    return delivery.k, delivery.label, [one.counter for one in delivery.rounds], certainties


def test_duplicates_change_nothing(client: SemLink, drawn_pngs: Pictures) -> None:
    once, twice = (
        asked(client, drawn_pngs[:30], in_flight=in_flight, fading="rayleigh", **more)
        for in_flight, more in ((1, {}), (8, {"duplicate_probability": 1.0}))
    )
    same = [what_it_says(one) == what_it_says(two) for one, two in zip(once, twice, strict=True)]
    assert sum(same) >= 29  # a certainty that lies on an edge of rounding


def counter_of(settings: ChannelSettings, lost: tuple[bool, ...]) -> int:
    """The first counter from which on bursts of stream 0 are lost as wanted."""
    return next(
        counter
        for counter in range(10_000)
        if tuple(bool(draw_faults(settings, 0, counter + place).cause) for place in range(len(lost))) == lost
    )


def test_a_lost_later_round_ends_the_asking_and_the_answer_before_it_stands(
    client: SemLink, drawn_pngs: Pictures
) -> None:
    channel = {"loss_probability": 0.4, "seed": 9, "snr_db": -8.0}
    settings = ChannelSettings().updated(**channel)
    picture, options = drawn_pngs[0][1], {"codec": "nested", "ask_for_more": True, "certainty": 1.0, **channel}
    counter = counter_of(settings, (False, False, True))
    delivery = client.send(picture, counter=counter, **options)
    assert [one.k for one in delivery.rounds] == [8, 16, 32]
    assert [bool(one.failure) for one in delivery.rounds] == [False, False, True]
    lost = delivery.rounds[2]
    assert f"the channel lost burst {counter + 2}" in lost.failure
    assert (lost.confidence, lost.posterior, lost.snr_db_estimated) == (None, None, None)
    assert (delivery.k, delivery.confidence) == (16, delivery.rounds[1].confidence)
    assert delivery.channel.counter == counter + 1
    assert delivery.cbr == pytest.approx(16 / VALUES), "what was lost was sent"
    assert delivery.cbr_total == pytest.approx((16 + 3 * 8) / VALUES)
    assert math.fsum(e.seconds for e in delivery.ledger) == pytest.approx(delivery.total_seconds, rel=1e-9)
    short = client.send(picture, counter=counter, **options | {"k_max": 16})
    assert (short.top, short.rounds[1].posterior) == (delivery.top, delivery.rounds[1].posterior)
    with pytest.raises(Lost, match="the channel lost burst"):
        client.send(picture, counter=counter_of(settings, (True,)), **options)


async def test_a_later_round_that_is_never_answered_leaves_time_to_say_so() -> None:
    """It may take half of the time that is left, so the answer before it comes within the deadline."""
    far = FarEnd(lambda burst: None if burst.offset_symbols else echo(burst, posterior=0.1, request_more=True))
    bursts = [make_burst(number + 1, session=1, offset_symbols=256 * number) for number in range(3)]
    async with far_end(far) as address, linked(link_to_channel(address)) as hop:
        deadline = Deadline.after(4.0)
        async with asyncio.timeout(4.0):
            exchanges = await exchange_rounds(iter(bursts), hop.exchange, deadline)
    assert not deadline.expired
    assert [exchange.failure is None for exchange in exchanges] == [True, False]
    assert "no answer from" in str(exchanges[1].failure)
    assert 0 < far.bursts[1].timeout_seconds <= 2.0
    assert len(far.bursts) == 2


BAD = [
    (
        {"codec": "kbsc"},
        "ask_for_more (HARQ) with codec kbsc, whose codewords are no prefixes of longer ones: choose nested",
    ),
    ({"k": 32, "k_max": 16}, "k_max = 16 is below k = 32"),
    ({"k_max": 48}, "codec nested has no length k = 48"),
    ({"k": 12}, "codec nested has no length k = 12"),
    ({"certainty": 1.5}, "required_posterior = 1.5: give a probability"),
    ({"certainty": math.nan}, "required_posterior = nan"),
    ({"ask_for_more": False, "certainty": 0.5}, "certainty = 0.5 goes with ask_for_more"),
    ({"ask_for_more": False, "k_max": 64}, "k_max = 64 goes with ask_for_more"),
]


@pytest.mark.parametrize(("options", "text"), BAD, ids=[text for _, text in BAD])
def test_a_wrong_wish_is_refused_by_name(client: SemLink, drawn_pngs: Pictures, options: Any, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.send(drawn_pngs[0][1], **{"codec": "nested", "ask_for_more": True, **options})
    assert text in str(refused.value)


def test_what_was_recorded_in_rounds_is_replayed_in_rounds(
    link: LocalLink, client: SemLink, drawn_pngs: Pictures, tmp_path: Path
) -> None:
    with (
        ChannelControl(link.channel) as control,
        RecordingWriter(tmp_path / "rounds") as writer,
        control.record() as recording,
    ):
        live = asked(client, drawn_pngs[:12], snr_db=-2.0)
        for recorded in recording:
            writer.add(recorded)
            if writer.bursts == sum(len(delivery.rounds) for delivery in live):
                break
    bursts = [each.burst for each in read_recording(tmp_path / "rounds")]
    assert len({burst.session for burst in bursts}) == 12
    with ChannelControl(link.channel) as control:
        answers = {answer.position: answer.outcome for answer in control.replay(bursts)}
    certainties = {one.counter: one.posterior for delivery in live for one in delivery.rounds}
    for position, burst in enumerate(bursts):
        assert isinstance(answers[position], Reception), answers[position]
        assert answers[position].posterior == pytest.approx(certainties[burst.counter], rel=1e-2)


def test_rounds_leave_room_for_every_codec_in_rounds() -> None:
    in_rounds = [codec_class(name) for name in CODECS if codec_class(name).prefixes]
    assert Nested in in_rounds
    assert max(len(kind.lengths) for kind in in_rounds) == ROUNDS
