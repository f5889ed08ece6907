"""With services that are `deterministic`, a replay is the same to the bit: what was sent, what arrived, the answer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from client import Delivery, SemLink
from local.supervisor import LinkPlan, LocalLink

pytestmark = pytest.mark.timeout(300)

ALONE = ["--deterministic"]
OPTIONS: dict[str, Any] = {"seed": 5, "stream": 3, "counter": 70, "fading": "rayleigh", "snr_db": 6.0, "trace": True}


@pytest.fixture(scope="module")
def client(link: LocalLink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SemLink]:
    plan = LinkPlan(
        link.plan.knowledge_base,
        tmp_path_factory.mktemp("logs"),
        source=None,
        read_only=True,
        flags={"transmitter": ALONE, "receiver": ALONE},
    )
    with LocalLink(plan) as running, SemLink(running.transmitter, timeout=60) as found:
        yield found


def bits(delivery: Delivery) -> list[Any]:
    """All that a replay must repeat."""
    trace = delivery.trace
    symbols = [part.tobytes() for part in (trace.sent, trace.received, trace.equalized)]
    answer = [delivery.top, delivery.confidence, delivery.accepted, delivery.reason, delivery.snr_db_estimated]
    return [*symbols, *answer, delivery.channel, delivery.cbr_total]


@pytest.mark.parametrize("framing", ["ideal", "implicit", "explicit"])
@pytest.mark.parametrize("more", [{}, {"ask_for_more": True}], ids=["one burst", "in rounds"])
def test_company_changes_no_bit(client: SemLink, drawn_pngs, framing: Any, more: dict[str, Any]) -> None:
    files = [data for _, data in drawn_pngs[:24]]
    options = OPTIONS | more | {"framing": framing}
    alone, one, two = (
        dict(client.send_many(files, in_flight=in_flight, ordered=True, **options)) for in_flight in (1, 24, 7)
    )
    arrived = [n for n in range(24) if isinstance(alone[n], Delivery)]
    assert len(arrived) >= (12 if framing == "explicit" else 24)
    for n in range(24):
        if n in arrived:
            assert bits(alone[n]) == bits(one[n]) == bits(two[n])
        else:
            assert type(alone[n]) is type(one[n]) is type(two[n])


def test_without_it_symbols_and_answers_are_the_same_to_five_digits(link: LocalLink, drawn_pngs) -> None:
    """The draws to the bit; CLIP and codecs round by the size of their batch."""
    files = [data for _, data in drawn_pngs[:24]]
    with SemLink(link.transmitter, timeout=60) as client:
        alone, one = (
            dict(client.send_many(files, in_flight=in_flight, ordered=True, **OPTIONS)) for in_flight in (1, 24)
        )
    for n in range(24):
        assert alone[n].channel.gain == one[n].channel.gain
        np.testing.assert_allclose(alone[n].trace.received, one[n].trace.received, atol=0.05)
        assert alone[n].label == one[n].label
