"""Off line and live are the same link: the laboratory's air and the three processes, the same symbols and answers."""

import numpy as np
import pytest

from client import Delivery, SemLink
from lab.evaluate.scenario import Scenario
from lab.simulate.air import Air
from local.supervisor import LocalLink
from receiver.knowledge_base import KnowledgeBase
from shared.codecs import codec_class

SEED = 11


@pytest.mark.parametrize(("codec", "k"), [("kbsc", 16), ("kbsc", 64), ("raw", 512)])
@pytest.mark.parametrize(("fading", "csi"), [("none", "none"), ("rayleigh", "pilot"), ("rayleigh", "perfect")])
def test_a_live_run_is_repeated_off_line(
    link: LocalLink, drawn_pngs, codec: str, k: int, fading: str, csi: str
) -> None:
    """From the symbols that were sent live: the same symbols at the receiver bit for bit, and the same items."""
    (point,) = Scenario.model_validate(
        {
            "title": "parity",
            "snr_db": [2],
            "scheme": [{"name": codec, "k": [k]}],
            "channel": [{"csi": csi, "settings": {"fading": fading}}],
        }
    ).points()
    files = [data for _, data in drawn_pngs[:24]]
    options = {"codec": codec, "k": k, "snr_db": 2, "fading": fading, "csi": csi, "seed": SEED}
    with SemLink(link.transmitter, timeout=60) as client:
        live = dict(client.send_many(files, trace=True, counter=0, stream=0, **options))
    assert all(isinstance(delivery, Delivery) for delivery in live.values()), live
    sent = np.stack([live[n].trace.sent for n in range(24)])
    receiver = codec_class(codec).load(k, "cpu")
    found = Air(point, SEED, np.arange(24)).carry(sent, receiver.equalizer)
    np.testing.assert_array_equal(found.x_hat, np.stack([live[n].trace.equalized for n in range(24)]))
    e_hat = receiver.decode(found.x_hat, found.n0_eff).embeddings
    with KnowledgeBase.open(link.plan.knowledge_base) as kb:
        items = [hits[0].item_id for hits in kb.search(e_hat, 1)]
    # The live answer is the winner of a vote; the paper's rule, which the laboratory judges by, takes the nearest item.
    assert items == [min(live[n].top, key=lambda hit: hit.distance).item_id for n in range(24)]
