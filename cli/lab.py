"""`semlink features`, `evaluate`, `report` and `paper`: doors to the lab."""

import math
from pathlib import Path
from typing import Annotated

import typer

from cli.console import OUT, Json, err, out, print_json
from cli.heavy import heavy
from cli.models import BatchSize, Clip, Device, Download, Weights, WeightsDir
from cli.progress import counting, progress


def features(
    source: Annotated[str, typer.Argument(help="drawn, cifar100:DIR, or a folder of pictures.")],
    *,
    file: Annotated[Path, typer.Option("--out", help="File to write.", metavar="FILE.npz")],
    split: Annotated[str | None, typer.Option(help="Part of the source; else kb, or all of a folder.")] = None,
    clip: Clip = "clip-tiny",
    weights: Weights = None,
    download: Download = False,
    device: Device = "auto",
    batch_size: BatchSize = 128,
    json: Json = False,
) -> None:
    """Embed every picture of a source into one file of arrays.

    It holds `embeddings` [N, 512] float32 of unit length, `labels` and `ids`, in the source's order.

    - `semlink features drawn --split query --out query.npz`
    - `semlink features cifar100:data --split train --out train.npz --clip ViT-B-32 --weights openai`
    """
    from shared.datasets import open_source  # noqa: PLC0415

    pictures = open_source(source, split, download)
    with heavy():
        from lab.data.features import extract_features, save_features  # noqa: PLC0415
        from shared.clip import load_clip  # noqa: PLC0415
    model = load_clip(clip, weights, device, download=download)
    with counting(f"embedding {source}", len(pictures)) as step:
        found = extract_features(pictures, model, batch_size, step)
    save_features(file, found)
    items, dim = found.embeddings.shape
    for why in found.skipped:
        err.print(f"skipped {why}", style="yellow", markup=False, highlight=False)
    if json:
        print_json({"file": str(file), "items": items, "dim": dim, "clip": found.clip, "skipped": list(found.skipped)})
    else:
        out.print(f"{items} embeddings of {dim} values in {file}")


def evaluate(
    scenario: Annotated[str, typer.Argument(help="A TOML file, or quick, paper, pictures, authors.")],
    *,
    data: Annotated[str, typer.Option(help="drawn, or a folder with CIFAR-100, or with pictures in query/ and kb/.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for results.csv and results.parquet.")] = OUT
    / "results",
    jobs: Annotated[int, typer.Option(min=1, max=1024, help="Processes that measure side by side.")] = 1,
    limit: Annotated[bool, typer.Option(help="Train classifiers on the train part for the limit.")] = True,
    clip: Clip = "clip-tiny",
    weights: Weights = None,
    weights_dir: WeightsDir = None,
    json: Json = False,
) -> None:
    """Send the pictures of a data set by many schemes over many channels, off line, into one table.

    What is measured already is kept: run it again after a break, or after a change of the scenario.

    - `semlink evaluate quick --data drawn`
    - `semlink evaluate paper --data data --jobs 2 --out out/results`
    """
    with heavy():
        from lab.data.features import ClipChoice  # noqa: PLC0415
        from lab.evaluate.bounds import classifier_accuracy  # noqa: PLC0415
        from lab.evaluate.data import open_test_set  # noqa: PLC0415
        from lab.evaluate.leak_test import too_good  # noqa: PLC0415
        from lab.evaluate.run import evaluate as run  # noqa: PLC0415
        from lab.evaluate.scenario import load_scenario  # noqa: PLC0415
        from shared.codecs.base.weight_files import use_weights_dir  # noqa: PLC0415
    use_weights_dir(weights_dir)
    wanted, choice = load_scenario(scenario), ClipChoice(clip, weights)
    with counting(f"embedding {data}") as step:
        test_set = open_test_set(data, choice, _FEATURES, step)
        best = classifier_accuracy(data, choice, test_set, _FEATURES, step) if limit else math.nan
    with progress(wanted.title) as report:
        table = run(wanted, test_set, folder, jobs=jobs, best_classifier=best, report=report)
    for row in too_good(table.iter_rows(named=True)):
        err.print(_TOO_GOOD.format(**row), style="yellow", markup=False, highlight=False)
    if json:
        print_json({"file": str(folder / "results.csv"), "points": len(table)})
    else:
        out.print(f"{len(table)} points in {folder / 'results.csv'}")


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
    with heavy():
        from lab.data.features import ClipChoice  # noqa: PLC0415
        from lab.evaluate.data import open_test_set  # noqa: PLC0415
        from lab.evaluate.scenario import load_scenario  # noqa: PLC0415
        from lab.report.examples import draw_examples  # noqa: PLC0415
        from lab.report.markdown import write_page  # noqa: PLC0415
        from shared.codecs.base.weight_files import use_weights_dir  # noqa: PLC0415
    use_weights_dir(weights_dir)
    examples = []
    if data is not None:
        (folder / "figures").mkdir(exist_ok=True)
        test_set = open_test_set(data, ClipChoice(clip, weights), _FEATURES)
        examples = draw_examples(load_scenario(scenario), test_set, data, folder / "figures")
    page = write_page(folder, examples)
    if json:
        print_json({"file": str(page)})
    else:
        out.print(f"results in {page}")


def paper(
    *,
    clip: Annotated[str, typer.Option(help="Any model that open_clip knows; the first paper took ViT-B-32.")],
    data: Annotated[str, typer.Option(help="Folder with CIFAR-100, or with pictures in train/, query/ and kb/.")],
    weights: Weights = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for features, weights of codecs, table and page.")] = OUT
    / "paper",
    scenario: Annotated[str, typer.Option(help="What to compare: a TOML file, or paper.")] = "paper",
    jobs: Annotated[int, typer.Option(min=1, max=1024, help="Processes that measure side by side.")] = 1,
    seed: Annotated[int, typer.Option(help="Of weights, order and noise of the trainings.")] = 1,
    device: Device = "auto",
    trial: Annotated[bool, typer.Option("--trial", help="Few pictures and steps: see that it works, no more.")] = False,
    json: Json = False,
) -> None:
    """Do the first paper's comparison with a CLIP of your choice: embed, train every codec, evaluate, report.

    Stopped, it goes on where it was. The weights run live too: `semlink up --weights-dir OUT/weights --clip ...`.

    - `semlink paper --clip ViT-B-32 --weights open_clip_model.safetensors --data data`
    - `semlink paper --clip clip-tiny --data data --out out/trial --trial`
    """
    with heavy():
        from lab.data.features import ClipChoice  # noqa: PLC0415
        from lab.paper import Paper, compare, train  # noqa: PLC0415
    wanted = Paper(ClipChoice(clip, weights), data, folder, scenario, jobs, seed, device, trial)
    train(wanted)
    with progress(wanted.compared.title) as report:
        table = compare(wanted, report)
    if json:
        print_json({"file": str(folder / "results.md"), "points": len(table), "weights": str(wanted.weights)})
    else:
        out.print(f"results in {folder / 'results.md'}, weights of codecs in {wanted.weights}")


_FEATURES = OUT / "features"
"""Embeddings by content and CLIP, for every comparison."""
_TOO_GOOD = "{scheme} k = {k} at {snr_db:g} dB reaches {semantic_accuracy:.3f}, more than its limit of {limit:.3f}"
