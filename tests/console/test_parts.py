"""What the console makes without a browser: charts, commands, permanent addresses."""

import asyncio
import importlib.util
import math
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
import typer

from cli.app import app
from client import AsyncSemLink, Entry, Kind, Trace
from client.recording import read_recording
from console import charts, equivalent, kb_map, live_sources, style, time_bar
from console.ask import scenes
from console.compare import Score
from console.gallery import Gallery, drawn
from console.live_recording import Tape
from console.parts import Latest
from console.results import curves, filtered, read_table, tables
from local.supervisor import LocalLink
from shared.datasets.decoding import encode_png
from shared.datasets.scenes import draw_scenes, questions_about
from shared.errors import Lost, NotFound, SemLinkError
from shared.phy import ChannelSettings
from shared.phy.conditions.schedule import Schedule
from shared.phy.conditions.settings import OF_THE_LINK
from shared.phy.conditions.timeline import Change

OPTIONS: dict[str, Any] = {
    "codec": "nested", "k": 64, "snr_db": 5.0, "fading": "rayleigh", "csi": "pilot", "pilot_symbols": 8,
    "framing": "explicit", "ask_for_more": True, "seed": 7, "stream": 1, "counter": 3,
}  # fmt: skip


def test_the_command_is_one_that_semlink_send_takes() -> None:
    words = shlex.split(equivalent.command("my cat.png", OPTIONS, "10.0.0.1:50051"))
    assert words[:3] == ["semlink", "send", "my cat.png"]
    group: Any = typer.main.get_command(app)
    _, command, _ = group.resolve_command(group.make_context("semlink", [], resilient_parsing=True), ["send"])
    parsed = command.make_context("send", words[2:]).params
    assert (parsed["snr_db"], parsed["pilots"], parsed["ask_for_more"], parsed["counter"]) == (5.0, 8, True, 3)
    assert parsed["transmitter"] == "10.0.0.1:50051"


def test_the_python_line_is_python() -> None:
    line = equivalent.python("cat.png", {"snr_db": math.inf, "codec": "raw"}, "127.0.0.1:50051")
    assert line == "SemLink().send('cat.png', snr_db=float(\"inf\"), codec='raw')"
    compile(line, "line", "eval")


def test_a_permanent_address_names_every_setting_of_a_picture_again() -> None:
    options = OPTIONS | ChannelSettings(snr_db=math.inf, doppler_hz=20.0).model_dump(exclude={*OF_THE_LINK})
    query = parse_qs(urlparse(equivalent.permanent("drawn-1", options)).query)
    assert query["picture"] == ["drawn-1"]
    assert equivalent.read_replay(query["replay"][0]) == options
    with pytest.raises(ValueError, match="no object"):
        equivalent.read_replay("[1]")


def test_emulated_stages_are_hatched_and_the_bar_is_complete() -> None:
    entries = [Entry("<encode>", 0.002), Entry("airtime", 0.001, Kind.EMULATED), Entry("queue", 0.0)]
    bar, legend = time_bar.drawn(entries).split("</div>")
    assert re.findall(r'class="([^"]+)" style="flex:([0-9.]+)', bar) == [
        ("semlink-stage", "0.6667"),
        ("semlink-stage semlink-emulated", "0.3333"),
    ]
    assert re.findall(r"</i>([^<]+)<b>([^<]+)", legend) == [
        ("&lt;encode&gt;", "2.000 ms"),
        ("airtime (emulated)", "1.000 ms"),
    ]


def test_the_constellation_is_square_and_not_endless() -> None:
    symbols = np.full(2000, 1 + 2j, np.complex64)
    chart = charts.constellation(Trace(symbols, 2 * symbols, symbols))
    assert chart["xAxis"]["max"] == chart["yAxis"]["max"] >= 4
    assert {len(one["data"]) for one in chart["series"]} == {600}


def test_every_class_that_a_part_names_has_a_rule() -> None:
    """There is no Tailwind that would make one in the browser; Quasar and SemLink's own have prefixes."""
    named = set()
    for file in Path(style.__file__).parent.glob("*.py"):
        for text in re.findall(r"""classes\((?:add=|remove=)?f?"([^"]*)"\)""", file.read_text(encoding="utf-8")):
            named |= set(text.split())
    own = {name for name in named if not name.startswith(("semlink-", "text-negative", "{"))}
    assert own <= style.RULES.keys()
    assert {"half", "gap-4"} <= own


def test_pictures_are_found_by_id() -> None:
    gallery = Gallery()
    added = gallery.add("cat.png", b"cat")
    assert gallery.get(added.picture_id) is added
    assert gallery.get("drawn-3").label == list(drawn().values())[3].label
    with pytest.raises(NotFound, match="drop it"):
        gallery.get("0")


def test_curves_of_a_table_leave_out_what_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    file = tmp_path / "paper" / "results.csv"
    file.write_text("scheme,k,snr_db,accuracy\na,16,5,0.5\na,16,0,0.2\nb,16,,0.9\nb,64,1,0.8\n", encoding="utf-8")
    assert tables(tmp_path) == ["paper/results.csv"]
    rows = read_table(file)
    chart = curves(rows, "snr_db", "accuracy", ["scheme", "k"])
    assert [(one["name"], [(*point["value"], point["name"]) for point in one["data"]]) for one in chart["series"]] == [
        ("a 16", [(0.0, 0.2, "1"), (5.0, 0.5, "0")]),
        ("b 64", [(1.0, 0.8, "3")]),
    ]
    assert [row["accuracy"] for row in filtered(rows, "b snr_db=1")] == ["0.8"]
    assert [row["accuracy"] for row in filtered(rows, "K=16 a")] == ["0.5", "0.2"]


async def test_of_several_questions_the_last_one_wins() -> None:
    latest, slow = Latest(), asyncio.Event()

    async def first() -> str:
        await slow.wait()
        return "first"

    async def second() -> str:
        return "second"

    waiting = asyncio.create_task(latest.answer_of(first()))
    await asyncio.sleep(0)
    assert await latest.answer_of(second()) == "second"
    slow.set()
    assert await waiting is None


def test_the_plane_of_a_map_shows_what_varies_most() -> None:
    drawn = np.random.default_rng(0)
    flat = drawn.normal(size=(200, 2)) * (5, 2)
    turn = np.linalg.qr(drawn.normal(size=(16, 16)))[0][:2]
    embeddings = (flat @ turn + 1).astype(np.float32)
    embeddings[3] /= np.linalg.norm(embeddings[3])  # as received ones become
    plane = kb_map.principal_plane(embeddings)
    places = plane.of(embeddings)
    assert np.abs(np.corrcoef(places[:, 0], flat[:, 0])[0, 1]) > 0.99
    assert np.linalg.norm(places) == pytest.approx(np.linalg.norm(flat - flat.mean(0)), rel=0.02)
    found = kb_map.Map(["a", "b"] * 100, places, plane)
    items, fallen = kb_map.chart(found, ("a", embeddings[3]))["series"]
    assert fallen["data"][0]["value"] == pytest.approx(items["data"][3]["value"], abs=1e-3)
    assert kb_map.chart(found, ("a", embeddings[3, :8]))["series"][1]["data"] == []  # of another CLIP


def test_umap_keeps_near_items_near_and_puts_a_received_one_among_them() -> None:
    pytest.importorskip("umap", reason="no UMAP here: pip install umap-learn")
    drawn = np.random.default_rng(0)
    centres = np.repeat(np.eye(16)[:3], 30, axis=0)
    embeddings = (centres + 0.05 * drawn.normal(size=centres.shape)).astype(np.float32)
    manifold = kb_map.Manifold(embeddings)
    places = manifold.of(embeddings)
    middles = places.reshape(3, 30, 2).mean(1)
    apart = min(np.linalg.norm(middles[one] - middles[two]) for one, two in ((0, 1), (0, 2), (1, 2)))
    assert np.linalg.norm(places.reshape(3, 30, 2) - middles[:, None], axis=2).max() < apart
    found = kb_map.Map(["a"] * 30 + ["b"] * 30 + ["c"] * 30, places, manifold)
    (fallen,) = kb_map.chart(found, ("b", embeddings[40]))["series"][1]["data"]
    assert np.linalg.norm(middles - fallen["value"], axis=1).argmin() == 1


def test_without_umap_the_map_says_what_to_install() -> None:
    if importlib.util.find_spec("umap"):
        pytest.skip("UMAP is installed here")
    with pytest.raises(NotFound, match="pip install umap-learn, or choose PCA"):
        kb_map.Manifold(np.eye(16, dtype=np.float32))


def test_a_timeline_has_a_cursor_where_the_scenario_stands() -> None:
    schedule = Schedule("dip", {"snr_db": 10.0}, "wall", 8.0, (Change(4.0, {"snr_db": 0.0}),))
    (series,) = charts.timeline(schedule, 9.0)["series"]
    assert {value for at, value in series["data"] if at < 4} == {10.0}
    assert {value for at, value in series["data"] if at >= 4} == {0.0}
    assert series["markLine"]["data"] == [{"xAxis": 1.0}]  # the second round


async def test_a_folder_is_streamed_again_and_again_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "one.png").write_bytes(next(iter(drawn().values())).data)
    client: Any = None  # of no page: there is no camera
    stream = live_sources.frames(live_sources.FOLDER, str(tmp_path), client)
    assert [(await anext(stream)).label for _ in range(3)] == ["cat"] * 3
    for folder, told in ((" ", "no folder"), (str(tmp_path / "none"), "none")):
        with pytest.raises(SemLinkError, match=told):
            await anext(live_sources.frames(live_sources.FOLDER, folder, client))


async def test_a_tape_is_a_recording_that_can_be_replayed(link: LocalLink, tmp_path: Path) -> None:
    tape = await Tape(link.channel).start()
    async with AsyncSemLink(link.transmitter) as client:
        delivery = await client.send(next(iter(drawn().values())).data, trace=True)
    async with asyncio.timeout(60):
        while not tape.bursts:  # noqa: ASYNC110 - another thread writes
            await asyncio.sleep(0.01)
    file = tmp_path / "live.sigmf"
    file.write_bytes(await tape.stop())
    (recorded,) = read_recording(file)
    assert recorded.report.counter == delivery.channel.counter
    assert delivery.trace is not None
    assert delivery.trace.embedding is not None
    assert delivery.trace.embedding.any()
    with pytest.raises(NotFound, match="nothing passed"):
        await (await Tape(link.channel).start()).stop()


def test_a_score_counts_a_picture_without_an_answer_as_wrong() -> None:
    score = Score()
    score.add("cat", Lost("lost"))
    assert str(score) == "0 of 1 right"


def test_each_scene_has_a_question_about_itself() -> None:
    for place, scene in enumerate(scenes()):
        assert scene.question == questions_about("seen", [place], 1).texts()[0]
        assert scene.data == encode_png(draw_scenes("seen", [place]).pixels[0])
