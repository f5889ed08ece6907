"""`semlink evaluate` and `report`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from cli.console import answer, complain, out
from cli.options import OUT, Clip, Json, Weights, WeightsDir
from cli.progress import progress
from lab.data.features import ClipChoice
from lab.data.ready import ClipName, open_ready
from lab.evaluate.ask.run import evaluate_ask
from lab.evaluate.bounds import classifier_accuracy
from lab.evaluate.data import TestSet, open_test_set
from lab.evaluate.leak_test import too_good
from lab.evaluate.run import evaluate as run
from lab.evaluate.scenario import load_scenario
from lab.evaluate.selection import command_of, selected
from lab.report.examples import draw_examples
from lab.report.markdown import write_page
from shared.codecs.base.weight_files import use_weights_dir
from shared.errors import InvalidSetting

_FEATURES = OUT / "features"
"""Embeddings by content and CLIP, for every comparison."""
_TOO_GOOD = "{scheme} k = {k} at {snr_db:g} dB reaches {semantic_accuracy:.3f}, above its bound of {upper_bound:.3f}"

Jobs = Annotated[int, typer.Option(min=1, max=1024, help="Processes that measure side by side.")]


def evaluate(
    scenario: Annotated[str, typer.Argument(help="A TOML file, or quick, paper, pictures, authors, features; or ask.")],
    *,
    data: Annotated[
        str | None, typer.Option(help="drawn, or a folder with CIFAR-100, or with pictures in query/ and kb/.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Instead: ready embeddings, as `semlink train` takes."),
    ] = None,
    clip_fingerprint: Annotated[
        str | None, typer.Option(metavar="HEX", help="Of the CLIP that made them, where they do not say it.")
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for results.csv and results.parquet.")] = OUT
    / "results",
    jobs: Jobs = 1,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Only points with this scheme, k, fading, csi, framing or snr_db; several times, for all of them.",
        ),
    ] = None,
    limit: Annotated[bool, typer.Option(help="Train classifiers on the train part for the upper bound.")] = True,
    clip: Clip = "clip-tiny",
    weights: Weights = None,
    weights_dir: WeightsDir = None,
    json: Json = False,
) -> None:
    """Send the pictures of a data set by many schemes over many channels, off line, into one table.

    Points that are measured already are kept: run it again after a break, or after a change of the scenario.

    `ask` sends pictures of scenes for questions, and needs no data.

    - `semlink evaluate quick --data drawn`
    - `semlink evaluate paper --data data --jobs 2 --out out/results`
    - `semlink evaluate features --features my.npz --weights-dir out/weights` — what was trained on these embeddings
    - `semlink evaluate quick --data drawn --only scheme=kbsc --only snr_db=0 --out out/point` — some points of it
    - `semlink evaluate ask --out out/ask` — then `python -m lab.report.ask_page out/ask docs` draws its page
    """
    use_weights_dir(weights_dir)
    if scenario == "ask":
        if only:
            raise InvalidSetting("--only with ask, whose table is measured as a whole: leave it out")
        _evaluate_ask(folder, json)
        return
    wanted = load_scenario(scenario)
    selected(wanted.points(), only or ())  # before the pictures are embedded
    if features is not None and data is None:
        test_set, best = _ready(features, clip_fingerprint), math.nan
    elif data is not None and features is None and clip_fingerprint is None:
        test_set, best = _embedded(data, ClipChoice(clip, weights), limit)
    else:
        raise InvalidSetting(
            f"scenario {scenario} needs --data, such as --data drawn, or --features FILE (with --clip-fingerprint)"
        )
    told = {"clip": None if clip == "clip-tiny" else clip, "weights": weights, "weights_dir": weights_dir}
    command = command_of(scenario, data=data, features=features, clip_fingerprint=clip_fingerprint, limit=limit, **told)
    with progress(wanted.title) as step:
        table = run(
            wanted, test_set, folder, jobs=jobs, best_classifier=best, report=step, only=only or (), command=command
        )
    for row in too_good(table.iter_rows(named=True)):
        complain(_TOO_GOOD.format(**row))
    file = folder / "results.csv"
    answer(json, {"file": str(file), "points": len(table)}, lambda: out.print(f"{len(table)} points in {file}"))


def _evaluate_ask(folder: Path, json: bool) -> None:
    with progress("asking about scenes") as report_progress:
        table = evaluate_ask(folder, report_progress)
    file = folder / "ask.csv"
    answer(json, {"file": str(file), "points": len(table)}, lambda: out.print(f"{len(table)} points in {file}"))


def _ready(features: str, clip_fingerprint: str | None) -> TestSet:
    ready = open_ready(features, ClipName("CLIP", clip_fingerprint) if clip_fingerprint else None)
    if not ready.labelled:
        complain(f"{features} has no labels: accuracy is agreement with the item that the clean embedding finds")
    return TestSet.of_features(*ready.test(), clip_fingerprint=ready.clip.fingerprint)


def _embedded(data: str, choice: ClipChoice, limit: bool) -> tuple[TestSet, float]:
    """Pictures of a data set, and the accuracy of the best classifier, NaN without a limit."""
    with progress(f"embedding {data}") as step:
        test_set = open_test_set(data, choice, _FEATURES, step)
        return test_set, classifier_accuracy(data, choice, test_set, _FEATURES, step) if limit else math.nan


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that `semlink evaluate` has written.")] = OUT / "results",
    *,
    data: Annotated[str | None, typer.Option(help="Draw retrieved pictures too: the data that was evaluated.")] = None,
    scenario: Annotated[str, typer.Option(help="Its scenario, for those pictures.")] = "paper",
    clip: Clip = "clip-tiny",
    weights: Weights = None,
    weights_dir: WeightsDir = None,
    json: Json = False,
) -> None:
    """Draw figures and write tables of a comparison: FOLDER/results.md and FOLDER/figures.

    Comparisons in sub-folders of FOLDER become chapters of the page.

    - `semlink report out/results`
    - `semlink report out/quick --data drawn --scenario quick`
    """
    use_weights_dir(weights_dir)
    examples = []
    if data is not None:
        (folder / "figures").mkdir(exist_ok=True)
        test_set = open_test_set(data, ClipChoice(clip, weights), _FEATURES)
        examples = draw_examples(load_scenario(scenario), test_set, data, folder / "figures")
    page = write_page(folder, examples)
    answer(json, {"file": str(page)}, lambda: out.print(f"results in {page}"))
