"""Codecs of pictures through the three processes, and which codecs a service runs."""

from pathlib import Path

import pytest

from client import Delivery, SemLink
from local.supervisor import LocalLink
from shared.codecs import CodecShelf
from shared.codecs.base.contract import fingerprint_of
from shared.codecs.picture.ldpc import LOST, NO_FILE
from shared.errors import InvalidInput, InvalidSetting, NotFound
from shared.ledger import Stage
from tests.tools.own_codecs import own_codecs


@pytest.mark.timeout(300)
def test_a_picture_travels_and_is_embedded_by_the_receiver(link: LocalLink, drawn_pngs) -> None:
    with SemLink(link.transmitter, timeout=120) as client:
        options = {"codec": "webp-ldpc", "k": 4096, "snr_db": 10, "design_snr_db": 10}
        outcomes = dict(client.send_many([data for _, data in drawn_pngs[:20]], counter=0, **options))
    assert all(isinstance(one, Delivery) for one in outcomes.values()), outcomes
    assert sum(outcomes[n].label == drawn_pngs[n][0] for n in range(20)) >= 17
    for one in outcomes.values():
        assert one.sent_picture
        assert one.seconds(Stage.EMBED) > 0
        assert one.seconds(Stage.ENCODE) == 0  # CLIP has nothing to do at the sender


@pytest.mark.parametrize(
    ("k", "snr_db", "design_snr_db", "why"), [(4096, -12.0, 5.0, LOST), (512, 20.0, -5.0, NO_FILE)]
)
@pytest.mark.timeout(300)
def test_a_picture_that_does_not_arrive_is_grey_and_said_to_be_missing(
    link: LocalLink, drawn_pngs, k: int, snr_db: float, design_snr_db: float, why: str
) -> None:
    with SemLink(link.transmitter, timeout=120) as client:
        one, two = (
            client.send(data, codec="webp-ldpc", k=k, snr_db=snr_db, design_snr_db=design_snr_db)
            for _, data in drawn_pngs[:2]
        )
    assert one.reason == two.reason == f"{why}: a grey one was looked up"
    assert (one.accepted, one.confidence, one.item_id) == (False, 0, two.item_id)


def test_only_codecs_that_the_operator_named_are_run(link: LocalLink, tmp_path: Path, drawn_pngs) -> None:
    with SemLink(link.transmitter, timeout=60) as client:
        for name in ("signs", own_codecs(tmp_path)[0]):
            with pytest.raises(NotFound, match=r"no codec .*--own-codec"):
                client.send(drawn_pngs[0][1], codec=name)
        with pytest.raises(InvalidInput, match="hevc-ldpc has no length k = 64; it has 2048, 4096, 8192"):
            client.send(drawn_pngs[0][1], codec="hevc-ldpc", k=64)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from shared.codecs.embedding.raw import Raw\n\n\nclass Mine(Raw):\n    pass\n", encoding="utf-8"
    )
    with pytest.raises(InvalidSetting, match="the name 'raw', which another codec has"):
        CodecShelf("cpu", "c0ffee", [f"{tmp_path / 'mine.py'}:Mine"])


def test_a_missing_library_is_named_and_the_codec_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.codecs.digital.modem.find_spec", lambda _: None)
    shelf = CodecShelf("cpu", fingerprint_of([b"another CLIP"]))
    with pytest.raises(NotFound, match=r"needs Sionna.*semlink\[services\]"):
        shelf.get("jpeg-ldpc")
    offered = {codec.name for codec in shelf.load_all()}
    assert "raw" in offered
    assert "jpeg-ldpc" not in offered
