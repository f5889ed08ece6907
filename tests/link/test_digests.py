"""Nothing changes to the last bit: digests of what the public client gets, and of the laboratory's results.

A change that is meant to change results records them anew, and its commit says why:

    SEMLINK_RECORD_DIGESTS=1 python -m pytest tests/link/test_digests.py [-k 'offline and evaluate']

Times, and names that are drawn at random (sessions), are left out. `tests.tools.digests` tells what is compared.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from cli.demo.run import demo_pictures
from client import Delivery, HarqRound, SemLink
from local.supervisor import LinkPlan, LocalLink
from tests.tools.digests import OFFLINE_TOLERANCE, PINNED, Found, check, digest, head, in_a_child, manner, plain

pytestmark = pytest.mark.timeout(300)

CODECS = [
    ("nested", 8),
    ("nested", 64),
    ("nested", 256),
    ("kbsc", 16),
    ("kbsc", 64),
    ("kbsc", 256),
    ("label", 32),
    ("raw", 512),
    ("vq-digital", 64),
    ("jpeg-ldpc", 8192),
    ("webp-ldpc", 2048),
    ("hevc-ldpc", 8192),
    ("deepjscc", 512),
    ("swinjscc", 512),
]
PILOTS = {"preamble": {"pilot_pattern": "preamble"}, "scattered": {"pilot_pattern": "scattered", "pilot_symbols": 12}}
CHANNELS: dict[str, dict[str, Any]] = {
    "awgn": {"fading": "none", "snr_db": 4.0},
    "rayleigh": {"fading": "rayleigh", "snr_db": 14.0},
}
GRID = {
    f"{codec} k={k} {channel} {pilots}": {"codec": codec, "k": k} | CHANNELS[channel] | PILOTS[pilots]
    for codec, k in CODECS
    for channel in CHANNELS
    for pilots in PILOTS
}
NESTED: dict[str, Any] = {"codec": "nested", "k": 128, "snr_db": 8.0}
OTHERS: dict[str, dict[str, Any]] = {
    "perfect csi": NESTED | {"csi": "perfect", "fading": "rayleigh"},
    "no csi": NESTED | {"csi": "none"},
    "no noise": NESTED | {"snr_db": float("inf")},
    "coherence": NESTED
    | {"fading": "rayleigh", "coherence_symbols": 16, "pilot_symbols": 16, "pilot_pattern": "scattered"},
    "doppler": NESTED
    | {"fading": "rayleigh", "doppler_hz": 900.0, "burst_interval_seconds": 0.01}
    | {"pilot_symbols": 16, "pilot_pattern": "scattered"},
    "kbsc fading": NESTED | {"fading": "kbsc", "csi": "perfect"},
    "rician, shadowed": NESTED | {"fading": "rician", "shadowing_db": 6.0, "shadowing_bursts": 2, "path_loss_db": 2.0},
    "ofdm, hardware": NESTED
    | {"k": 256, "fading": "tdl-c", "waveform": "ofdm", "delay_spread_seconds": 3e-7, "doppler_hz": 50.0}
    | {"pilot_symbols": 32, "pilot_pattern": "scattered", "snr_db": 15.0}
    | {"cfo_hz": 30.0, "phase_deg": 20.0, "phase_noise_hz": 3.0, "pa_backoff_db": 4.0, "adc_bits": 8},
    "jammed": NESTED | {"sir_db": 8.0, "impulses": "middleton", "pa_backoff_db": 3.0, "adc_bits": 6, "snr_db": 15.0},
    "no file": {"codec": "hevc-ldpc", "k": 2048, "snr_db": 20.0, "design_snr_db": -5.0},
    "lost": {"codec": "webp-ldpc", "k": 2048, "snr_db": -12.0},
    "more, rayleigh": {"codec": "nested", "ask_for_more": True, "fading": "rayleigh", "snr_db": 3.0},
    "more, awgn": {"codec": "nested", "k": 16, "k_max": 64, "ask_for_more": True, "certainty": 0.9999, "snr_db": -6.0},
}
CASES = GRID | OTHERS
PARTS = ("card", "embeddings", "evaluate")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SemLink]:
    """A link of its own: its knowledge base too is made with the pinned arithmetic."""
    folder = tmp_path_factory.mktemp("digests")
    flags = {
        "transmitter": ["--device", "cpu", "--clip-engine", "torch", "--precision", "float32", "--threads", "1"],
        "receiver": ["--device", "cpu", "--clip-engine", "torch"],
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PINNED.items():
            patch.setenv(name, value)
        running = LocalLink(LinkPlan(folder / "kb", folder / "logs", "first:5:drawn", flags=flags, timeout=250))
        running.start()
    try:
        with SemLink(running.transmitter, timeout=60) as found:
            yield found
    finally:
        running.stop()


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [picture.encoded() for picture in demo_pictures(4)]


@pytest.fixture(scope="module")
def probed(request: pytest.FixtureRequest) -> str:
    """The probe of this machine; what it means is said in the test's output."""
    found = str(in_a_child("tests.tools.digests"))
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\ndigests: {manner(found)}")
    return found


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """The off-line parts, of one process: its start takes as long as each of them."""
    found: dict[str, Found] = in_a_child("tests.tools.digest_offline", str(tmp_path_factory.mktemp("features")), *PARTS)
    return found


@pytest.mark.parametrize("name", CASES)
def test_live(client: SemLink, pictures: list[bytes], probed: str, name: str) -> None:
    """Two pictures, one at a time; in rounds four."""
    options = {"design_snr_db": 3.0, "stream": 2, "counter": 40, "seed": 7, "trace": True, "top_k": 4} | CASES[name]
    count = 4 if options.get("ask_for_more") else 2
    outcomes = [outcome for _, outcome in client.send_many(pictures[:count], in_flight=1, ordered=True, **options)]
    for outcome in outcomes:
        assert isinstance(outcome, Delivery), outcome
    check(name, found_in(outcomes), probed)


@pytest.mark.parametrize("name", PARTS)
def test_offline(offline: dict[str, Found], probed: str, name: str) -> None:
    check(f"offline {name}", offline[name], probed, OFFLINE_TOLERANCE)


def found_in(deliveries: list[Delivery]) -> Found:
    traces = [one.trace for one in deliveries if one.trace is not None]
    symbols = {name: [getattr(trace, name) for trace in traces] for name in ("sent", "received", "equalized")}
    hits = [[[hit.item_id, hit.label, hit.distance] for hit in one.top] for one in deliveries]
    verdicts = [[one.confidence, one.accepted, one.reason, one.snr_db_estimated] for one in deliveries]
    costs = [[one.codec, one.k, one.cbr, one.cbr_total, one.csi, one.genies, one.pilot_symbols] for one in deliveries]
    rounds = [[in_round(each) for each in one.rounds] for one in deliveries]
    channels = [in_channel(one) for one in deliveries]
    return {
        "digests": {name: digest(*arrays) for name, arrays in symbols.items()}
        | {"top": digest(hits), "verdict": digest(verdicts), "cost": digest(costs), "channel": digest(channels)}
        | ({"rounds": digest(rounds)} if any(rounds) else {}),
        "values": {name: [head(array) for array in arrays] for name, arrays in symbols.items()}
        | {"item": [one.item_id for one in deliveries], "distances": plain([[hit[2] for hit in top] for top in hits])}
        | {"verdict": plain(verdicts), "channel": plain(channels)}
        | ({"rounds": plain(rounds)} if any(rounds) else {}),
    }


def in_channel(delivery: Delivery) -> list[float]:
    report = delivery.channel
    powers = [report.snr_db_achieved, report.signal_power, report.noise_power, report.papr_db]
    return [report.gain.real, report.gain.imag, *powers, report.seconds, report.air_symbols]


def in_round(one: HarqRound) -> list[Any]:
    known = [one.k, one.counter, one.pilot_symbols, one.payload_symbols, one.cbr_total, one.failure]
    return [*known, one.confidence, one.posterior, one.snr_db_estimated]
