"""The ledger adds up."""

import math

import pytest

from shared.ledger import Entry, Kind, Ledger, Stage


def test_closing_makes_the_sum_the_whole() -> None:
    ledger = Ledger()
    ledger.book(Stage.PREPROCESS, 0.002)
    ledger.book(Stage.ENCODE, 0.010)
    ledger.extend([Entry(Stage.SEARCH, 0.001), Entry(Stage.AIRTIME, 0.5, Kind.EMULATED)])
    ledger.close(0.020)
    assert ledger.entries[-1].stage == "other"
    assert ledger.seconds(Kind.MEASURED) == pytest.approx(0.020)
    assert ledger.seconds(Kind.EMULATED) == 0.5
    assert ledger.total_seconds == pytest.approx(0.520)


def test_no_stage_is_negative() -> None:
    ledger = Ledger()
    ledger.book(Stage.WIRE, -1e-6)
    ledger.book(Stage.ENCODE, 0.010)
    ledger.close(0.009)
    assert [entry.seconds for entry in ledger.entries] == [0.0, 0.010, 0.0]


def test_measuring_books_the_body_even_when_it_raises() -> None:
    ledger = Ledger()
    with pytest.raises(KeyError), ledger.measure(Stage.DECODE):
        raise KeyError
    (entry,) = ledger.entries
    assert (entry.stage, entry.kind) == ("decode", Kind.MEASURED)
    assert 0 <= entry.seconds < 1
    assert math.isclose(ledger.total_seconds, entry.seconds)


def test_names_are_those_of_the_wire() -> None:
    assert [stage.value for stage in Stage] == [
        "access", "preprocess", "queue", "encode", "compress", "wire", "channel", "air_queue", "airtime",
        "propagation", "delay", "header", "receive_queue", "equalize", "decode", "embed", "answer", "search", "other",
    ]  # fmt: skip
    assert [kind.value for kind in Kind] == ["measured", "emulated"]
