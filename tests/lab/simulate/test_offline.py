"""Parity: the same scenario and the same pictures, off-line and through three processes: the same, bit for bit.

Pictures go one by one, and with the transmitter's arithmetic and threads, because an embedding depends on its batch in
its last bits. The channel's part does not: test_proxy.py and test_proxy_faults.py send many at once.
"""

from pathlib import Path

import pytest

from client import ChannelControl, Delivery, SemLink
from lab.simulate.offline import OfflineLink, Sender
from local.supervisor import LocalLink
from receiver.confidence import load_confidence
from receiver.knowledge_base import KnowledgeBase
from receiver.pipeline import ReceivePipeline
from receiver.settings import ReceiverSettings
from shared.clip import Clip, load_clip
from shared.codecs import CodecShelf
from shared.errors import Lost
from shared.phy.conditions.schedule import Schedule
from transmitter.settings import TransmitterSettings

SINGLE = """
name = "drive"
repeat_seconds = 2.5

[settings]
seed = 3
snr_db = 12
fading = "rayleigh"
doppler_hz = 7
burst_interval_seconds = 0.1
shadowing_db = 4
shadowing_bursts = 5
good_to_bad = 0.1
bad_to_good = 0.5

[[ramp]]
from_seconds = 0.5
to_seconds = 1.6
snr_db = -2
doppler_hz = 40

[[at]]
seconds = 1.8
snr_db = 20
loss_probability = 0.2
duplicate_probability = 0.3
reset_probability = 0.1

[[blackout]]
from_seconds = 2.2
to_seconds = 2.4
"""
OFDM = """
repeat_seconds = 1.5

[settings]
seed = 4
snr_db = 15
fading = "tdl-c"
waveform = "ofdm"
doppler_hz = 20
burst_interval_seconds = 0.05
phase_noise_hz = 2
cfo_hz = 20
pa_backoff_db = 6
adc_bits = 8
impulses = "bernoulli"
loss_probability = 0.1

[[ramp]]
from_seconds = 0.2
to_seconds = 1.0
snr_db = 0
delay_spread_seconds = 3e-6
"""


@pytest.fixture(scope="module")
def clip(link: LocalLink) -> Clip:
    with SemLink(link.transmitter) as client:
        return load_clip(device="cpu", precision=client.describe().precision)


@pytest.mark.parametrize(
    ("text", "pilot_pattern", "csi"),
    [(SINGLE, "preamble", "pilot"), (OFDM, "scattered", "pilot"), (SINGLE, "preamble", "perfect")],
    ids=["doppler, ramps, losses", "ofdm, hardware", "perfect csi"],
)
def test_a_scenario_is_the_same_offline_and_through_sockets(
    link: LocalLink, clip: Clip, drawn_pngs, tmp_path: Path, text: str, pilot_pattern: str, csi: str
) -> None:
    (tmp_path / "scenario.toml").write_text(text)
    scenario = Schedule.from_file(tmp_path / "scenario.toml")
    files = [data for _, data in drawn_pngs[:40]]
    pilots = {"pilot_symbols": 16, "pilot_pattern": pilot_pattern} if csi == "pilot" else {}
    with ChannelControl(link.channel) as control, SemLink(link.transmitter, timeout=60) as client:
        control.schedule(scenario)
        assert control.scheduled().scenario == scenario
        options = {"stream": 7, "counter": 100, "trace": True, "top_k": 3, "csi": csi, **pilots}
        live = [outcome for _, outcome in client.send_many(files, in_flight=1, ordered=True, **options)]
        control.reset()
    settings = ReceiverSettings()
    shelf = CodecShelf("cpu", clip.fingerprint)
    with KnowledgeBase.open(link.plan.knowledge_base) as knowledge_base:
        confidence = load_confidence(link.plan.knowledge_base)
        pipeline = ReceivePipeline(shelf, knowledge_base, settings.equalizer, confidence, settings.accept_confidence)
        sender = Sender(
            shelf.get(TransmitterSettings().codec),
            csi=csi,
            pilots=16,
            pilot_pattern=pilot_pattern,
            stream=7,
            top_k=3,
            trace=True,
        )
        offline = list(OfflineLink(scenario, clip, pipeline, sender, batch_size=1).run(files, counter=100))
    assert len({outcome.report.settings.snr_db for outcome in offline}) > 3
    assert {bool(outcome.cause) for outcome in offline} == {True, False}
    for one, two in zip(live, offline, strict=True):
        if two.cause:
            assert isinstance(one, Lost)
            assert f"({two.cause})" in str(one)
            continue
        assert isinstance(one, Delivery), one
        assert one.channel == two.report
        assert one.trace is not None
        assert one.trace.sent.tobytes() == two.sent.tobytes()
        assert one.trace.received.tobytes() == two.burst.payload.tobytes()
        assert one.trace.equalized.tobytes() == two.answer.trace.equalized.tobytes()
        answer = two.answer
        assert (one.top, one.confidence, one.accepted, one.reason, one.snr_db_estimated) == (
            answer.top, answer.confidence, answer.accepted, answer.reason, answer.snr_db_estimated,
        )  # fmt: skip
