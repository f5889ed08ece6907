"""`semlink kb tune`, `calibrate`, `report`, `thin`: measure a knowledge base and improve it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.console import answer, out
from cli.options import OUT, Json
from cli.progress import progress
from lab.knowledge_base.calibration import ask, merge
from lab.knowledge_base.calibration import calibrate as fit
from lab.knowledge_base.figures import draw_calibration, draw_report, draw_thinning, draw_tuning
from lab.knowledge_base.inputs import codec_for, codecs_for, queries_for, usual_codecs_for
from lab.knowledge_base.open_set import measure_open_set
from lab.knowledge_base.prototypes import thin as select
from lab.knowledge_base.retrieval import RULES, compare_retrieval
from lab.knowledge_base.tuning import TuningPlan
from lab.knowledge_base.tuning import tune as find
from receiver.confidence import CONFIDENCE_FILE, load_confidence, shipped_confidence
from receiver.knowledge_base import KnowledgeBase
from shared.errors import InvalidSetting
from shared.units import decibels

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the knowledge base.")]
Queries = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.npz",
        help="Pictures to query with, from `semlink features`; else its own items, leave-one-out.",
    ),
]
Count = Annotated[int, typer.Option("--count", min=10, help="Upper limit of queries.")]
CodecName = Annotated[str, typer.Option("--codec", help="Codec that the queries pass.")]
Length = Annotated[int | None, typer.Option("-k", "--k", help="Its real dimensions.")]

_LEVELS_DB = (-10.0, -7.0, -4.0, 0.0, 4.0, 7.0, 10.0, 20.0)


def tune(
    directory: Directory,
    *,
    recall: Annotated[float, typer.Option(help="Recall@1 to reach, against exact search.")] = 0.99,
    engine: Annotated[
        list[str] | None, typer.Option(help="Engine to try; may be repeated; else those that suit the size.")
    ] = None,
    snr_db: Annotated[float, typer.Option(help="Channel that the queries pass, AWGN, dB.")] = 5.0,
    codec: CodecName = "raw",
    k: Length = None,
    count: Count = 500,
    plot: Annotated[Path, typer.Option(help="Recall against speed.")] = OUT / "kb-tuning.png",
    json: Json = False,
) -> None:
    """Find the fastest index engine that reaches a recall against exact search.

    Its own embeddings are sent over a noisy channel and looked up by every engine with increasing effort. The choice
    is stored beside the knowledge base and used whenever it is opened.

    - `semlink kb tune out/kb --recall 0.99`
    - `semlink kb tune out/kb --engine hnsw --engine ivf-sq8 --snr-db 0`
    """
    with KnowledgeBase.open(directory) as knowledge_base:
        sender = codec_for(knowledge_base.view, codec, k)
    plan = TuningPlan(recall, sender, snr_db, count, engine or ())
    with progress("trying engines") as report:
        tuning, points = find(directory, plan, report)
    draw_tuning(points, tuning, recall, plot)
    table = _table("Recall and speed", ("engine", "parameters", "recall@1", "recall@10", "ms"), map(_point_row, points))
    text = f"{tuning.engine} {_text(tuning.parameters)} is used from now on; the curve is in {plot}"
    document = {"chosen": tuning, "points": points, "plot": str(plot)}
    answer(json, document, lambda: out.print(table, text))


def calibrate(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of knowledge bases.")],
    *,
    queries: Queries = None,
    count: Count = 2000,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write; else in the knowledge base.")
    ] = None,
    plot: Annotated[Path, typer.Option(help="Reliability before and after.")] = OUT / "kb-calibration.png",
    json: Json = False,
) -> None:
    """Calibrate the receiver's confidence to a probability.

    Queries are sent with every codec over channels of -10 to 20 dB, with and without fading. Two logistic models, one
    for answers of the vote and one for those of a posterior, are fitted to half of them and scored on the other half.
    A running receiver takes the models at its next start.

    - `semlink kb calibrate out/kb`
    - `semlink kb calibrate out/kb --queries held-out.npz`
    - `semlink kb calibrate out/kb/cifar100 out/kb/drawn --out receiver/confidence.json` — the one that ships
    """
    if len(directories) > 1 and file is None:
        raise InvalidSetting("several knowledge bases share one calibration; say with --out where to keep it")
    answers: list[Any] = []
    names: list[str] = []
    for directory in directories:
        with KnowledgeBase.open(directory) as knowledge_base, progress(f"asking {directory}") as report:
            view = knowledge_base.view
            asked = queries_for(view, queries, count)
            answers.append(ask(view, codecs_for(view), asked, seed=len(names), progress=report))
            names.append(view.store.origin.source)
    found = fit(merge(answers), shipped_confidence(), " and ".join(names))
    kept = file or directories[0] / CONFIDENCE_FILE
    found.models.write(kept)
    draw_calibration(found, plot)
    errors = {"share": found.share.ece, "shipped": found.shipped.ece, "fitted": found.fitted.ece}
    text = [f"expected calibration error, {name:8} {ece:.3f}" for name, ece in errors.items()]
    text.append(f"kept in {kept}; reliability is in {plot}")
    document = {"models": found.models, "ece": errors, "file": str(kept), "plot": str(plot)}
    answer(json, document, lambda: out.print("\n".join(text)))


def report(
    directory: Directory,
    *,
    queries: Queries = None,
    count: Count = 1000,
    plot: Annotated[Path, typer.Option(help="All curves.")] = OUT / "kb-report.png",
    json: Json = False,
) -> None:
    """Measure retrieval accuracy by the nearest item, the vote and the posterior, and open-set detection.

    For the open set a fifth of the labels is removed, and the confidence has to tell their pictures from the others.

    - `semlink kb report out/kb`
    - `semlink kb report out/kb --queries held-out.npz --json`
    """
    with KnowledgeBase.open(directory) as knowledge_base:
        view, models = knowledge_base.view, load_confidence(directory)
        asked, codecs = queries_for(view, queries, count), usual_codecs_for(view)
        with progress("nearest item and vote") as tell:
            curves = compare_retrieval(view, asked, codecs, _LEVELS_DB, tell)
        with progress("open set") as tell:
            open_set = measure_open_set(view, asked, codecs, models, seed=0, progress=tell)
    draw_report(curves, open_set, plot)
    rows = [
        (curve.codec, curve.fading, f"{level:g}", *(_rounded(curve.accuracy.get(rule), at) for rule in RULES))
        for curve in curves
        for at, level in enumerate(curve.levels_db)
    ]
    table = _table("Semantic accuracy", ("codec", "fading", "SNR dB", *RULES), rows)
    text = [f"open set, AUROC of {score:18} {area:.3f}" for score, area in open_set.auroc.items()]
    document = {"retrieval": curves, "auroc": open_set.auroc, "plot": str(plot)}
    answer(json, document, lambda: out.print(table, "\n".join([*text, f"drawn in {plot}"])))


def _rounded(values: tuple[float, ...] | None, at: int) -> str:
    return "-" if values is None else f"{values[at]:.3f}"


def thin(
    directory: Directory,
    *,
    items: Annotated[
        list[int], typer.Option(min=1, help="Prototypes to keep; repeated, the last result is kept on disk.")
    ],
    target: Annotated[Path, typer.Option("--out", help="Folder of the thinned knowledge base.")],
    queries: Queries = None,
    codec: CodecName = "kbsc",
    k: Length = None,
    snr_db: Annotated[list[float] | None, typer.Option(help="SNR to measure at; may be repeated.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Accuracy against items.")] = None,
    json: Json = False,
) -> None:
    """Prototype selection: keep the items that represent each label best, and measure the accuracy that this costs.

    - `semlink kb thin out/kb --items 1000 --out out/kb-small`
    - `semlink kb thin out/kb --items 1000 --items 200 --items 100 --out out/kb-tiny --plot out/thin.png`
    """
    with KnowledgeBase.open(directory) as knowledge_base:
        sender = codec_for(knowledge_base.view, codec, k)
        asked = None if queries is None else queries_for(knowledge_base.view, queries, 2000)
    levels, steps = snr_db or [0.0, 10.0], []
    for budget in items:
        with progress(f"keeping {budget}") as tell:
            step = select(directory, target, budget, codec=sender, levels_db=levels, progress=tell, queries=asked)
            steps.append(step)
    if plot is not None:
        draw_thinning(steps, plot)
    names = [decibels(level) for level in levels]
    columns = ("items", "of a label", *(f"{name}, before" for name in names), *names)
    rows = [
        (
            str(step.items),
            f"{step.fewest} to {step.most}",
            *(f"{step.accuracy_before[level]:.3f}" for level in levels),
            *(f"{step.accuracy[level]:.3f}" for level in levels),
        )
        for step in steps
    ]
    table = _table("Semantic accuracy", columns, rows)
    document = {"steps": steps, "directory": str(target)}
    answer(json, document, lambda: out.print(table, f"{steps[-1].items} items in {target}"))


def _point_row(point: Any) -> tuple[str, ...]:
    numbers = (f"{point.recall_at_1:.3f}", f"{point.recall_at_10:.3f}", f"{point.milliseconds:.2f}")
    return (point.engine, _text(point.parameters), *numbers)


def _text(parameters: Any) -> str:
    return "  ".join(f"{name} {value}" for name, value in parameters.items())


def _table(title: str, columns: tuple[str, ...], rows: Any) -> Table:
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*row)
    return table
