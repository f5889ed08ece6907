"""`semlink features`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import answer, complain, out
from cli.options import BatchSize, Clip, Device, Download, Json, Weights
from cli.progress import progress
from lab.data.features import extract_features, save_features
from shared.clip import load_clip
from shared.datasets import open_source


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
    pictures = open_source(source, split, download)
    model = load_clip(clip, weights, device, download=download)
    with progress(f"embedding {source}") as step:
        found = extract_features(pictures, model, batch_size, step)
    save_features(file, found)
    items, dim = found.embeddings.shape
    for why in found.skipped:
        complain(f"skipped {why}")
    document = {"file": str(file), "items": items, "dim": dim, "clip": found.clip, "skipped": list(found.skipped)}
    answer(json, document, lambda: out.print(f"{items} embeddings of {dim} values in {file}"))
