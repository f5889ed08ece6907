"""The judgement of a soak, on made-up samples, and its picture."""

from pathlib import Path

from tests.soak.__main__ import Sample, draw, grown


def samples(slope: float) -> list[Sample]:
    return [Sample(n, "receiver", 500 + slope * n, 40, 20, 10, 9.0, 30.0) for n in range(100)]


def test_what_grows_is_told_and_what_warms_up_is_not() -> None:
    assert grown(samples(0.0)) == []
    (told,) = grown(samples(2.0))
    assert "memory_mib" in told
    warming = [Sample(n, "receiver", min(500.0, 100.0 * n), 40, 20, 10, 9.0, 30.0) for n in range(100)]
    assert grown(warming) == []


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw(samples(1.0), tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
