"""`semlink features`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cli.console import answer, complain, out
from cli.options import BatchSize, Device, Download, HelpAll, Json, Weights
from cli.progress import progress
from cli.reading import complain_of_sources, takes_reading
from lab.data.features import Features, extract_features, save_features
from shared.clip import MODEL, load_clip
from shared.datasets import EmbeddingSource, Reading, open_collections
from shared.errors import InvalidSetting


@takes_reading
def features(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="drawn, scenes, cifar100:DIR, pictures, or embeddings.")
    ],
    *,
    file: Annotated[Path, typer.Option("--out", help="File to write.", metavar="FILE.npz")],
    split: Annotated[str | None, typer.Option(help="Part of the source; else kb, or all of a folder.")] = None,
    clip: Annotated[
        str | None, typer.Option(help="clip-tiny, the default for pictures, or any model that open_clip knows.")
    ] = None,
    clip_fingerprint: Annotated[
        str | None, typer.Option(metavar="HEX", help="Of the CLIP that made embeddings that are ready.")
    ] = None,
    weights: Weights = None,
    download: Download = False,
    device: Device = "auto",
    batch_size: BatchSize = 128,
    reading: Reading,
    help_all: HelpAll = False,  # noqa: ARG001 - ends the command by itself
    json: Json = False,
) -> None:
    """Embed every picture of a source into one file of arrays.

    It holds `embeddings` [N, 512] float32 of unit length, `labels` and `ids`, in the order of the sources, which are
    named and read as for `semlink kb build`. Embeddings that are ready are gathered: the folders of clip-retrieval and
    img2dataset (`img_emb_*.npy` with `metadata_*.parquet`), Hugging Face's data sets in Parquet, .npy, .npz.

    - `semlink features drawn --split query --out query.npz`
    - `semlink features cifar100:data --split train --out train.npz --clip ViT-B-32 --weights openai`
    - `semlink features laion/ --out laion.npz --clip-fingerprint 0123456789abcdef` — then `semlink kb build laion.npz`
    """
    collection = open_collections(sources, split, download, reading)
    if isinstance(collection, EmbeddingSource):
        found = _gathered(collection, clip_fingerprint)
    else:
        model = load_clip(clip or MODEL, weights, device, download=download)
        with progress(f"embedding {collection.name}") as step:
            found = extract_features(collection, model, batch_size, step)
    save_features(file, found)
    items, dim = found.embeddings.shape
    complain_of_sources(reading)
    for why in found.skipped:
        complain(f"skipped {why}")
    document = {
        "file": str(file),
        "items": items,
        "dim": dim,
        "clip": found.clip,
        "clip_fingerprint": found.clip_fingerprint,
        "skipped": list(found.skipped),
        "skipped_sources": [{"source": name, "reason": why} for name, why in reading.skipped],
    }
    answer(json, document, lambda: out.print(f"{items} embeddings of {dim} values in {file}"))


def _gathered(source: EmbeddingSource, clip_fingerprint: str | None) -> Features:
    """Ready embeddings of unit length. Raises InvalidSetting where nothing says which CLIP made them."""
    made_by = source.clip_fingerprint or clip_fingerprint
    if not made_by:
        raise InvalidSetting(f"{source.name} does not say which CLIP made its embeddings: give --clip-fingerprint HEX")
    embeddings = np.asarray(source.embeddings, np.float32)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    usable = ((lengths > 0) & np.isfinite(lengths))[:, 0]
    ids, labels = (np.array([*map(str, texts)], np.str_) for texts in (source.ids, source.item_labels))
    skipped = tuple(f"{name}: the embedding is zero or not finite" for name in ids[~usable])
    unit = embeddings[usable] / lengths[usable]
    return Features(unit, labels[usable], ids[usable], skipped, source.clip or "CLIP", made_by)
