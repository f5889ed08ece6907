"""What a receiver makes of a burst that it was told nothing of but its configuration."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from receiver.framing import Deframer
from shared.errors import InvalidInput, InvalidSymbols, Lost, Mismatch, Unconfigured
from shared.frame.burst import Burst, CodecSpec, LinkConfiguration
from shared.frame.header import header_class, header_of
from shared.phy import pilot_positions, place_pilots
from shared.types import Complex
from tests.tools.rpc import payload

SPECS = tuple(CodecSpec("nested", k, "c0ffee", "c11b", 5) for k in (8, 16, 64))
IMPLICIT = LinkConfiguration(
    7, "implicit", SPECS, (0.99, 0.9, 0.0), "pilot", 8, "scattered", top_k=3, trace=True
)  # fmt: skip
CLASS = header_class(0)
HEADERS = {"header_symbols": CLASS.symbols, "short_header_symbols": CLASS.short_symbols}
EXPLICIT = replace(IMPLICIT, version=8, framing="explicit", **HEADERS)
SINGLE = replace(EXPLICIT, version=9, required_posteriors=(0.0, 0.0, 0.0))


def deframer(accepted: Any = "any") -> Deframer:
    made = Deframer(accepted)
    for each in (IMPLICIT, EXPLICIT, SINGLE):
        made.hold(each)
    return made


def sent(configuration: LinkConfiguration, number: int, symbols: Complex, spec: CodecSpec | None = None) -> Burst:
    """As a transmitter frames it."""
    header = header_of(configuration, spec or SPECS[number], 1000, number, 77)
    whole = place_pilots(np.concatenate([header, symbols]), 8, "scattered")
    return Burst(
        1, 2, 3, spec or SPECS[number], 8, whole, "pilot", session=5, framing=configuration.framing,
        configuration=configuration.version, round=number, header_symbols=header.size,
    )  # fmt: skip


def test_a_place_in_time_says_what_a_burst_is() -> None:
    heard = sent(IMPLICIT, 2, payload(24)).heard()
    assert (heard.stream, heard.counter, heard.codec.codec, heard.pilot_symbols) == (0, 0, "", 0)
    found = deframer().read(heard)
    assert (found.codec, found.csi, found.pilot_symbols, found.pilot_pattern) == (SPECS[2], "pilot", 8, "scattered")
    assert (found.offset_symbols, found.required_posterior, found.session) == (8, 0.0, 5)
    assert (found.top_k, found.trace, found.payload.tobytes()) == (3, True, payload(24).tobytes())


def test_a_header_says_what_a_burst_is() -> None:
    """The mode and the length of a burst alone, the round and the session of one in rounds."""
    spec = replace(SPECS[2], mode=21)
    alone = deframer().read(sent(SINGLE, 0, payload(32), spec).heard())
    assert (alone.codec, alone.session, alone.offset_symbols, alone.header_symbols) == (spec, 0, 0, CLASS.symbols)
    assert alone.payload.tobytes() == payload(32).tobytes()
    first, later = (deframer().read(sent(EXPLICIT, n, payload(size)).heard()) for n, size in ((0, 4), (2, 24)))
    assert first.session == later.session > 1000
    assert (first.round, first.offset_symbols, first.required_posterior) == (0, 0, 0.99)
    assert (later.round, later.offset_symbols, later.required_posterior) == (2, 8, 0.0)
    assert (later.codec, later.header_symbols) == (SPECS[2], CLASS.short_symbols)


def test_a_header_is_found_whatever_the_phase_that_a_few_pilots_leave_open() -> None:
    burst = sent(SINGLE, 0, payload(32), SPECS[2])
    data = np.delete(np.arange(burst.symbols.size), pilot_positions(8, burst.symbols.size, "scattered"))
    for turn in np.exp(1j * np.linspace(-3, 3, 7)).astype(np.complex64):
        turned = burst.symbols.copy()
        turned[data] *= turn
        assert deframer().read(replace(burst, symbols=turned).heard()).codec == SPECS[2]


def test_noise_is_no_header_and_says_so() -> None:
    found = deframer().read_many([replace(sent(SINGLE, 0, payload(32), SPECS[2]), symbols=payload(124)).heard()] * 2)
    assert all(isinstance(each, Lost) and "header was lost" in str(each) for each in found)


@pytest.mark.parametrize(
    ("burst", "kind", "text"),
    [
        (
            replace(sent(IMPLICIT, 0, payload(4)), configuration=99),
            Unconfigured,
            "configuration 99 of framing",
        ),
        (replace(sent(IMPLICIT, 0, payload(4)), framing="explicit"), Unconfigured, "7 of framing explicit"),
        (replace(sent(IMPLICIT, 0, payload(4)), round=3), InvalidInput, "round 3 of configuration 7, which has 3"),
        (replace(sent(SINGLE, 0, payload(4), SPECS[0]), symbols=payload(8)), InvalidSymbols, "a burst of 8 symbols"),
        (replace(sent(SINGLE, 0, payload(4), SPECS[0]), symbols=payload(20)), Lost, "header was lost"),
    ],
)
def test_what_fits_no_configuration_is_refused(burst: Burst, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        deframer().read(burst.heard())
    good = sent(IMPLICIT, 0, payload(4)).heard()
    found = deframer().read_many([burst.heard(), good])
    assert isinstance(found[0], kind)
    assert isinstance(found[1], Burst), "and the others of its batch are read"


def test_a_receiver_may_accept_one_framing_alone() -> None:
    strict = Deframer("explicit")
    with pytest.raises(Mismatch, match="accepts explicit only"):
        strict.hold(IMPLICIT)
    with pytest.raises(Mismatch, match="framing ideal"):
        strict.read(replace(sent(IMPLICIT, 0, payload(4)), framing="ideal"))
    strict.hold(SINGLE)
    assert strict.read(sent(SINGLE, 0, payload(4), SPECS[0]).heard()).codec == SPECS[0]


def test_the_oldest_configurations_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.framing._MOST", 2)
    few = deframer()
    with pytest.raises(Unconfigured):
        few.read(sent(IMPLICIT, 0, payload(4)).heard())
    assert few.read(sent(SINGLE, 0, payload(4), SPECS[0]).heard()).codec == SPECS[0]
