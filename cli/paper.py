"""`semlink paper`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import answer, out
from cli.evaluate import Jobs
from cli.options import OUT, Device, Json, Weights
from cli.progress import progress
from lab.data.features import ClipChoice
from lab.paper import Paper, compare, train


def paper(
    *,
    clip: Annotated[str, typer.Option(help="Any model that open_clip knows; the first paper took ViT-B-32.")],
    data: Annotated[str, typer.Option(help="Folder with CIFAR-100, or with pictures in train/, query/ and kb/.")],
    weights: Weights = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for features, weights of codecs, table and page.")] = OUT
    / "paper",
    scenario: Annotated[str, typer.Option(help="What to compare: a TOML file, or paper.")] = "paper",
    jobs: Jobs = 1,
    seed: Annotated[int, typer.Option(help="Of weights, order and noise of the trainings.")] = 1,
    device: Device = "auto",
    trial: Annotated[bool, typer.Option("--trial", help="Few pictures and steps, to see that it works.")] = False,
    json: Json = False,
) -> None:
    """Repeat the first paper's comparison with a CLIP of your choice: embed, train every codec, evaluate, report.

    Stopped, it continues where it was. The weights run live too: `semlink up --weights-dir OUT/weights --clip ...`.

    - `semlink paper --clip ViT-B-32 --weights open_clip_model.safetensors --data data`
    - `semlink paper --clip clip-tiny --data data --out out/trial --trial`
    """
    wanted = Paper(ClipChoice(clip, weights), data, folder, scenario, jobs, seed, device, trial)
    train(wanted)
    with progress(wanted.compared.title) as report:
        table = compare(wanted, report)
    page = folder / "results.md"
    document = {"file": str(page), "points": len(table), "weights": str(wanted.weights)}
    answer(json, document, lambda: out.print(f"results in {page}, weights of codecs in {wanted.weights}"))
