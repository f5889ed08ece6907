"""The JSON of an answer: its keys are what users' scripts read."""

import json

import numpy as np
import pytest

from shared.frame.delivery import Delivery, HarqRound
from shared.frame.reception import ChannelReport, Hit, Trace
from shared.ledger import Entry
from shared.phy import ChannelSettings

SYMBOLS = np.array([1 + 2j], np.complex64)
DELIVERY = Delivery(
    item_id="a", label="b", distance=0.5, confidence=0.9, accepted=True, reason="", top=(Hit("a", "b", 0.5),),
    codec="nested", k=16, cbr=0.1, cbr_total=0.2, csi="pilot", genies=(), pilot_symbols=8, pilot_pattern="scattered",
    snr_db_estimated=None, ledger=(Entry("encode", 0.25),), total_seconds=0.25, knowledge_base="kb",
    channel=ChannelReport(ChannelSettings(snr_db=np.inf, seed=3), np.inf, 1, 2, 1.0, 0.0, 0.5j, 0.0, 24, 3.0),
    trace=Trace(SYMBOLS, SYMBOLS, SYMBOLS), rounds=(HarqRound(16, 2, 8, 8, 0.2, 0.9, 0.95, None, 0.2, "lost"),),
)  # fmt: skip
KEYS = {
    "": "item_id label distance confidence accepted reason top codec k cbr cbr_total csi genies pilot_symbols "
    "pilot_pattern snr_db_estimated channel ledger total_seconds knowledge_base knowledge_base_version "
    "framing header_symbols configuration_symbols burst_id rounds trace",
    "top": "item_id label distance",
    "channel": "snr_db_asked snr_db_achieved fading seed stream counter signal_power noise_power seconds air_symbols "
    "papr_db settings gain",
    "ledger": "stage seconds kind",
    "rounds": "k counter pilot_symbols payload_symbols cbr_total confidence posterior snr_db_estimated seconds failure "
    "header_symbols",
    "trace": "sent received equalized",
}


@pytest.mark.parametrize("part", KEYS)
def test_keys_never_change(part: str) -> None:
    document = json.loads(json.dumps(DELIVERY.to_json(), allow_nan=False))
    found = document[part] if part else document
    assert list(found[0] if isinstance(found, list) else found) == KEYS[part].split()


def test_values() -> None:
    document = DELIVERY.to_json()
    assert document["rounds"][0]["posterior"] == 0.95
    assert document["channel"]["counter"] == 2
    assert (document["channel"]["gain"], document["channel"]["snr_db_asked"]) == ([0.0, 0.5], None)
    assert document["trace"]["sent"] == [[1.0, 2.0]]
    assert (
        "trace"
        not in Delivery(**{name: getattr(DELIVERY, name) for name in DELIVERY.__slots__} | {"trace": None}).to_json()
    )
