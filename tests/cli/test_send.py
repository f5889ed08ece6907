"""`semlink send`, `channel` and `kb` on a running link, as a user types them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client import ChannelControl, KnowledgeBaseClient
from local.supervisor import LocalLink
from shared.errors import NotFound
from shared.phy import ChannelSettings
from tests.tools.cli import as_documented, called, invoke, printed, semlink

DELIVERY_KEYS = {
    "item_id", "label", "distance", "confidence", "accepted", "top", "codec", "k", "cbr", "cbr_total", "channel",
    "ledger", "total_seconds",
}  # fmt: skip


@pytest.fixture
def cat(tmp_path: Path, drawn_pngs: list[tuple[str, bytes]]) -> Path:
    file = tmp_path / "cat.png"
    file.write_bytes(drawn_pngs[0][1])
    return file


def test_send_one_prints_one_object(link: LocalLink, cat: Path) -> None:
    """As a process; the other answers in JSON come of calls, as `printed` makes them."""
    options = ("--codec", "raw", "--snr-db", "10", "--fading", "rayleigh", "--csi", "pilot", "--top", "3", "--json")
    result = semlink("send", cat, "--transmitter", link.transmitter, *options)
    assert result.returncode == 0, result.stderr
    found = as_documented(json.loads(result.stdout, parse_constant=pytest.fail), "send")
    assert found.keys() >= DELIVERY_KEYS
    assert (found["codec"], found["k"], len(found["top"])) == ("raw", 512, 3)
    assert found["channel"]["snr_db_asked"] == 10
    assert found["channel"]["fading"] == "rayleigh"
    assert found["total_seconds"] == pytest.approx(sum(entry["seconds"] for entry in found["ledger"]), abs=1e-9)
    assert "access" in [entry["stage"] for entry in found["ledger"]]
    assert {entry["kind"] for entry in found["ledger"]} == {"measured", "emulated"}


def test_send_without_noise_is_strict_json(link: LocalLink, cat: Path) -> None:
    found = printed("send", cat, "--transmitter", link.transmitter, "--snr-db", "inf", "--trace", "--k", "16")
    assert found["channel"]["snr_db_asked"] is None
    assert len(found["trace"]["sent"]) == 8


def test_send_several_prints_an_array_in_order(link: LocalLink, cat: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    result = called("send", cat, tmp_path / "text.png", cat, "--json", "--transmitter", link.transmitter)
    found = json.loads(result.stdout)
    assert result.returncode == 2
    assert [Path(entry["image"]).name for entry in found] == ["cat.png", "text.png", "cat.png"]
    assert "error" in found[1]
    assert "text.png" in result.stderr


def test_same_seed_stream_and_counter_replay(link: LocalLink, cat: Path) -> None:
    options = ("--seed", "7", "--stream", "3", "--counter", "5", "--snr-db", "0", "--fading", "rayleigh", "--trace")
    first, second = (printed("send", cat, "--transmitter", link.transmitter, *options) for _ in range(2))
    assert first["trace"] == second["trace"]
    assert first["channel"] == second["channel"]
    assert first["channel"]["counter"] == 5


@pytest.mark.parametrize("flag", ["--pilot-pattern", "--pilot-placing"])
@pytest.mark.parametrize(("standard", "synonym"), [("preamble", "front"), ("scattered", "spread")])
def test_pilot_patterns_have_standard_names_and_synonyms(
    link: LocalLink, cat: Path, flag: str, standard: str, synonym: str
) -> None:
    options = ("--seed", "7", "--counter", "5", "--pilots", "16", "--csi", "pilot", "--trace")
    sent = [
        printed("send", cat, *options, flag, name, "--transmitter", link.transmitter) for name in (standard, synonym)
    ]
    assert sent[0]["trace"] == sent[1]["trace"]


def test_send_from_standard_input_with_units_and_rare_settings(link: LocalLink, cat: Path) -> None:
    at = ("--transmitter", link.transmitter, "--json", "--seed", "7", "--counter", "5")
    with cat.open("rb") as file:
        piped = semlink("send", "-", *at, "--snr-db", "5dB", "--set", "doppler-hz=1kHz", stdin=file)
    assert piped.returncode == 0, piped.stderr
    assert json.loads(piped.stdout)["channel"]["settings"] == {"snr_db": 5, "doppler_hz": 1000, "seed": 7}


def test_send_draws_sent_and_retrieved(link: LocalLink, cat: Path, tmp_path: Path) -> None:
    at = ("--transmitter", link.transmitter, "--receiver", link.receiver)
    drawn = called("send", cat, cat, *at, "--save", tmp_path / "answers.png")
    assert drawn.returncode == 0, drawn.stderr
    with Image.open(tmp_path / "answers.png") as sheet:
        left, right = (sheet.crop((x, 60, x + 200, 200)) for x in (40, 310))
        assert min(len(part.getcolors(1 << 20) or ()) for part in (left, right)) > 100
    refused = called("send", cat, *at, "--show")
    assert refused.returncode == 2
    assert "--save" in refused.stderr


def test_a_label_that_no_font_has_is_named_by_number_and_told(link: LocalLink, cat: Path, tmp_path: Path) -> None:
    """Of a machine with or without CJK fonts: U+3FFF0 stands for nothing."""
    at = ("--transmitter", link.transmitter, "--receiver", link.receiver)
    label = printed("send", cat, *at[:2], "--codec", "raw", "--snr-db", "30")["label"]
    with KnowledgeBaseClient(link.receiver) as knowledge_base:
        ids = [item.item_id for item in knowledge_base.list_items(label)]
        knowledge_base.relabel(dict.fromkeys(ids, "\u732b\U0003fff0"))
        try:
            drawn = called("send", cat, *at, "--codec", "raw", "--snr-db", "30", "--save", tmp_path / "odd.png")
        finally:
            knowledge_base.relabel(dict.fromkeys(ids, label))
    assert drawn.returncode == 0, drawn.stderr
    assert "the picture names them by number" in drawn.stderr
    assert (tmp_path / "odd.png").stat().st_size > 1000


def test_open_hands_the_sheet_to_the_picture_viewer(link: LocalLink, cat: Path, tmp_path: Path) -> None:
    """The viewer is what `xdg-open` of the path starts; where there is none the error says where the picture is."""
    at = ("--transmitter", link.transmitter, "--receiver", link.receiver)
    viewer, seen = tmp_path / "xdg-open", tmp_path / "seen.png"
    viewer.write_text(f'#!/bin/sh\ncp "$1" "{seen}"\n', encoding="utf-8")
    viewer.chmod(0o755)
    semlink("send", cat, *at, "--open", env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert Image.open(seen).size[0] > 300
    none = semlink("send", cat, *at, "--open", env=os.environ | {"PATH": str(tmp_path / "empty")})
    assert none.returncode == 2
    assert "no picture viewer answers here; the picture is in" in none.stderr


def test_send_for_people(link: LocalLink, cat: Path) -> None:
    one = semlink("send", cat, "--transmitter", link.transmitter)
    assert one.returncode == 0, one.stderr
    assert "confidence" in one.stdout
    assert "encode" in one.stdout
    several = called("send", cat, cat, "--transmitter", link.transmitter)
    assert several.stdout.count("cat.png") == 2


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--codec", "morse"], "morse"), (["--k", "17"], "17"), (["--snr-db", "200"], "200"), (["--top", "101"], "101")],
)
def test_what_the_services_refuse_exits_2(link: LocalLink, cat: Path, options: list[str], named: str) -> None:
    result = called("send", cat, "--transmitter", link.transmitter, *options)
    assert result.returncode == 2, result.stderr
    assert named in result.stderr
    assert "cat.png" in result.stderr


def test_channel_get_set_reset(link: LocalLink) -> None:
    at = ("--channel", link.channel)
    before = printed("channel", "get", *at)
    assert before.keys() == ChannelSettings.model_fields.keys()
    changed = printed("channel", "set", "--snr-db", "-3", "--fading", "rayleigh", *at)
    assert changed == before | {"snr_db": -3, "fading": "rayleigh"}
    assert printed("channel", "set", "--snr-db", "inf", *at)["snr_db"] is None
    assert printed("channel", "reset", *at) == before
    refused = called("channel", "set", "--snr-db", "-51", *at)
    assert refused.returncode == 2
    assert "-51" in refused.stderr
    with ChannelControl(link.channel) as control:
        assert control.get() == ChannelSettings()


def test_kb_info_of_receiver_and_of_folder(link: LocalLink) -> None:
    running = printed("kb", "info", "--receiver", link.receiver)
    assert (running["items"], running["labels"], running["dim"]) == (2000, 100, 512)
    assert printed("kb", "info", link.plan.knowledge_base) == running


def test_kb_build_and_features_of_a_folder(tmp_path: Path, drawn_pngs: list[tuple[str, bytes]]) -> None:
    for label, data in drawn_pngs[:6]:
        (tmp_path / "pictures" / label).mkdir(parents=True)
        (tmp_path / "pictures" / label / "a.png").write_bytes(data)
    (tmp_path / "pictures" / drawn_pngs[0][0] / "broken.png").write_text("no picture", encoding="utf-8")
    built = printed("kb", "build", tmp_path / "pictures", "--out", tmp_path / "kb", "--device", "cpu")
    assert (built["items"], built["labels"], len(built["skipped"])) == (6, 6, 1)
    made = printed("features", tmp_path / "pictures", "--out", tmp_path / "f.npz", "--device", "cpu")
    assert (made["items"], made["dim"]) == (6, 512)
    with np.load(tmp_path / "f.npz") as arrays:
        assert arrays["embeddings"].shape == (6, 512)
        assert sorted(arrays["labels"]) == sorted(label for label, _ in drawn_pngs[:6])


def test_features_reads_sources_as_kb_build_does(tmp_path: Path, drawn_pngs: list[tuple[str, bytes]]) -> None:
    """Several, with the flags that name columns and let paths lead out of a table's folder."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tables").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(drawn_pngs[0][1])
    for name in ("one", "two"):
        (tmp_path / "tables" / f"{name}.csv").write_text("foto;kind\n../elsewhere/a.png;x\n", encoding="utf-8")
    one, two = tmp_path / "tables" / "one.csv", tmp_path / "tables" / "two.csv"
    sources = [one, two, tmp_path / "gone.tar", "--path-column", "foto", "--label-column", "kind"]
    made = printed("features", *sources, "--anywhere", "--out", tmp_path / "f.npz", "--device", "cpu")
    assert made["items"] == 2
    assert [each["source"] for each in made["skipped_sources"]] == [str(tmp_path / "gone.tar")]
    confined = invoke("features", one, "--path-column", "foto", "--out", tmp_path / "g.npz", "--device", "cpu")
    assert "--anywhere" in f"{confined.output} {confined.exception}"


def test_items_of_the_knowledge_base(link: LocalLink, cat: Path) -> None:
    found = printed("send", cat, "--transmitter", link.transmitter, "--codec", "raw", "--snr-db", "inf")
    with KnowledgeBaseClient(link.receiver) as knowledge_base:
        item = knowledge_base.get_item(found["item_id"])
        assert item.label == found["label"]
        assert item.thumbnail[8:12] == b"WEBP"
        assert item.embedding.shape == (512,)
        with pytest.raises(NotFound, match="no-such-item"):
            knowledge_base.get_item("no-such-item")


def test_send_shows_the_rounds(link: LocalLink, cat: Path) -> None:
    at = ("--transmitter", link.transmitter, "--codec", "nested", "--snr-db", "-8", "--k", "16", "--k-max", "32")
    shown = called("send", cat, *at, "--ask-for-more", "--certainty", "1")
    assert shown.returncode == 0, shown.stderr
    assert "round" in shown.stdout
    assert "nested, k = 32" in shown.stdout
    refused = called("send", cat, *at[:4], "--certainty", "0.5")
    assert refused.returncode == 2
    assert "goes with ask_for_more" in refused.stderr


def test_send_embeddings_of_a_file(link: LocalLink, tmp_path: Path) -> None:
    """An .npy of several and of one; the fingerprint has to be named, and another one is refused."""
    with KnowledgeBaseClient(link.receiver) as base:
        made_by = base.describe().clip_fingerprint
        items = [base.get_item(item_id) for item_id in ("drawn/kb/00000", "drawn/kb/00007")]
    rows = np.stack([item.embedding for item in items])
    np.save(tmp_path / "two.npy", rows)
    np.save(tmp_path / "one.npy", rows[1])
    to = ("--transmitter", link.transmitter, "--clip-fingerprint", made_by, "--snr-db", "20", "--codec", "raw")
    two = printed("send", "--embedding", tmp_path / "two.npy", *to)
    assert [found["item_id"] for found in two] == [item.item_id for item in items]
    one = printed("send", "--embedding", tmp_path / "one.npy", *to)
    assert (one["item_id"], one["cbr"]) == (items[1].item_id, None)
    assert "encode" not in [entry["stage"] for entry in one["ledger"]]
    for wrong, why in (([], "--clip-fingerprint HEX"), (["--clip-fingerprint", "0" * 16], "made by CLIP 0000")):
        refused = called("send", "--embedding", tmp_path / "one.npy", "--transmitter", link.transmitter, *wrong)
        assert refused.returncode != 0
        assert why in refused.stderr
