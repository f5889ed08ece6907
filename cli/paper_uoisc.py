"""`semlink paper-uoisc`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.console import answer, out
from cli.options import OUT, Device, Json
from cli.progress import progress
from lab.vqa.compare import compare_vqa
from lab.vqa.samples import SPLITS
from lab.vqa.settings import VqaSettings

_TRIAL = {"rounds": 2, "steps": 2, "batch": 2, "learned": 16, "tested": 8}


def paper_uoisc(
    *,
    data: Annotated[Path, typer.Option(help="Folder with VQAv2 on COCO, or with easy-VQA.")],
    vision: Annotated[
        str, typer.Option(help="A CLIP of transformers, OWNER/NAME or a folder, or open_clip:MODEL[:WEIGHTS].")
    ] = "CIDAS/clipseg-rd64-refined",
    answerer: Annotated[
        str, typer.Option(help="A LLaVA of transformers, OWNER/NAME or a folder.")
    ] = "llava-hf/llava-1.5-7b-hf",
    split: Annotated[str, typer.Option(help=f"What is learned, and tested: {', '.join(SPLITS)}.")] = "nonanimal-animal",
    side: Annotated[int, typer.Option(help="Pixels of pictures, across and down.")] = 352,
    tokens: Annotated[int, typer.Option(help="Tokens of a picture, across and down.")] = 11,
    segments: Annotated[int, typer.Option(help="Segments of a token, of 6 bits each.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of 500 batches for each scheme.")] = 40,
    devices: Annotated[int | None, typer.Option(min=1, help="GPUs; all by default.")] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for checkpoints and the table.")] = OUT / "paper-uoisc",
    download: Annotated[bool, typer.Option("--download", help="Fetch networks that are not in the cache.")] = False,
    remote_code: Annotated[
        bool, typer.Option("--remote-code", help="Run Python that comes with the answerer, as nanoLLaVA needs.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of weights, order and choice of questions.")] = 1,
    device: Device = "auto",
    trial: Annotated[bool, typer.Option("--trial", help="Few questions and steps, to see that it works.")] = False,
    json: Json = False,
) -> None:
    """Repeat the second paper's comparison with real networks: train its codec and the ablations, ask, compare.

    Stopped, it continues where it was. It needs transformers: pip install 'semlink[lab,vqa]'.

    - `semlink paper-uoisc --data vqa --download`
    - `semlink paper-uoisc --data easy-VQA --split all --vision my-clip --answerer my-llava --side 64 --trial`
    """
    given: dict[str, Any] = {
        "data": str(data), "vision": vision, "answerer": answerer, "split": split, "side": side, "tokens": tokens,
        "segments": segments, "rounds": rounds, "devices": devices, "out": folder, "runs": folder / "runs",
        "download": download, "remote_code": remote_code, "seed": seed, "device": device,
    }  # fmt: skip
    settings = VqaSettings(**given | (_TRIAL if trial else {}))
    with progress("schemes") as report:
        rows = compare_vqa(settings, report)
    answer(json, {"file": str(folder / "uo-isc.csv"), "rows": rows}, lambda: out.print(_table(rows)))


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    return table
