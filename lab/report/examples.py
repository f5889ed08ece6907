"""A figure of examples: what was sent, and what each scheme retrieved for it."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.evaluate.data import TestSet
from lab.evaluate.scenario import Point, Scenario
from lab.evaluate.scheme import Batch, CannotExist
from lab.evaluate.schemes import make_scheme
from lab.evaluate.scorer import Scorer
from lab.report.results import channel_name
from lab.report.style import INK, MUTED, RC, RIGHT, WRONG, save
from shared.datasets import open_source
from shared.types import Ints, Pixels
from shared.units import decibels

COUNT = 10
LENGTH, SNR_DB = 16, 0.0


def draw_examples(scenario: Scenario, test_set: TestSet, spec: str, folder: Path) -> list[tuple[str, str]]:
    """Send ten queries by every scheme at the SNR nearest to 0 dB and its length nearest to 16, and draw the answers.

    One figure for each channel; gives file names and captions. spec: where the items' pictures are.
    """
    scorer, items = Scorer(test_set), _pictures(spec)
    members = scorer.blocks(COUNT)[0]
    drawn = []
    for number, points in enumerate(_by_channel(scenario), 1):
        rows = [(_title(point), found) for point in points if (found := _found(point, scorer, members)) is not None]
        name = channel_name(points[0].channel.fading, points[0].csi)
        figure = _figure(rows, scorer, members, items)
        figure.suptitle(f"{name}, {decibels(points[0].snr_db)}", fontsize=10, color=INK)
        source = open_source(spec, "kb").name
        caption = f"Sent, and retrieved by each scheme: {name}, {points[0].snr_db:g} dB, pictures of {source}."
        drawn.append((f"examples-{number}.png", caption))
        save(figure, folder / drawn[-1][0])
    return drawn


def _by_channel(scenario: Scenario) -> list[list[Point]]:
    """The points to show: for each channel one of each scheme."""
    snr_db = min(scenario.snr_db, key=lambda value: abs(value - SNR_DB))
    lengths = {scheme.name: min(scheme.k, key=lambda k: abs(k - LENGTH)) for scheme in scenario.scheme}
    shown: dict[tuple[str, str], list[Point]] = {}
    for point in scenario.points():
        if point.snr_db == snr_db and point.k == lengths[point.scheme.name]:
            shown.setdefault((point.channel.fading, point.csi), []).append(point)
    return list(shown.values())


def _found(point: Point, scorer: Scorer, members: Ints) -> Ints | None:
    """Positions of the items that a scheme retrieves for the queries; None where it has no form."""
    test_set = scorer.test_set
    told = point.snr_db if point.sender_snr else None
    batch = Batch(test_set.queries.embeddings[members], test_set.pixels[members], members, told)
    try:
        arrival = make_scheme(point.scheme, point.k, test_set).send(batch, point.chain(point.seeds[0]))
    except CannotExist:
        return None
    return scorer.found(arrival)[:, 0]


def _title(point: Point) -> str:
    return f"{point.scheme.name}\nk = {point.k}"


def _pictures(spec: str) -> list[Pixels]:
    return [np.asarray(picture.image()) for picture in open_source(spec, "kb")]


def _figure(rows: Sequence[tuple[str, Ints]], scorer: Scorer, members: Ints, items: Sequence[Pixels]) -> Figure:
    test_set = scorer.test_set
    with mpl.rc_context(RC):
        figure = Figure(figsize=(0.72 * len(members) + 1.2, 0.78 * (len(rows) + 1) + 0.4), layout="constrained")
        grid = figure.subplots(len(rows) + 1, len(members), squeeze=False)
        for axes, member in zip(grid[0], members.tolist(), strict=True):
            _show(axes, test_set.pixels[member], MUTED)
        for line, (_, found) in zip(grid[1:], rows, strict=True):
            for axes, member, item in zip(line, members.tolist(), found.tolist(), strict=True):
                right = item >= 0 and test_set.item_labels[item] == test_set.query_labels[member]
                _show(axes, items[item] if item >= 0 else np.full_like(items[0], 128), RIGHT if right else WRONG)
        for line, name in zip(grid, ("sent", *(title for title, _ in rows)), strict=True):
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    return figure


def _show(axes: Axes, pixels: Pixels, frame: str) -> None:
    axes.imshow(pixels, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=frame, linewidth=2)
