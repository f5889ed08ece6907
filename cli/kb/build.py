"""`semlink kb build`: a knowledge base from pictures or embeddings."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cli.console import answer, complain, complain_of, out
from cli.kb.common import Copy
from cli.options import Device, Download, Json, Weights
from cli.progress import progress
from receiver.knowledge_base import BuildReport, EngineSettings, build_knowledge_base
from shared.clip import MODEL, load_clip
from shared.datasets import EmbeddingSource, PictureSource, open_collection
from shared.errors import InvalidSetting, Mismatch

Clip = Annotated[
    str | None,
    typer.Option(help="clip-tiny, or any model that open_clip knows, such as ViT-B-32; pictures take clip-tiny."),
]
Fingerprint = Annotated[
    str | None,
    typer.Option("--clip-fingerprint", metavar="HEX", help="Of the CLIP that made the embeddings, if not loaded."),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Pictures that CLIP embeds together; else 64, and 512 on a GPU.")
]


class _Identity(NamedTuple):
    """Name and fingerprint of a CLIP that is not loaded."""

    name: str
    fingerprint: str
    dim: int


def build(
    source: Annotated[str, typer.Argument(help="drawn, cifar100:DIR, a folder, or a file; see above.")],
    *,
    directory: Annotated[Path, typer.Option("--out", help="Folder of the knowledge base.")],
    split: Annotated[str | None, typer.Option(help="Part of the source; else kb, or all of it.")] = None,
    clip: Clip = None,
    weights: Weights = None,
    clip_fingerprint: Fingerprint = None,
    download: Download = False,
    device: Device = "auto",
    batch_size: BatchSize = None,
    engine: Annotated[str, typer.Option(help="Index engine; auto takes what suits the number of items.")] = "auto",
    uri: Annotated[
        str | None, typer.Option(metavar="FILE.db|http://HOST:19530", help="Of engine milvus: where it runs.")
    ] = None,
    copy: Copy = False,
    resume: Annotated[bool, typer.Option(help="Continue a build of this source that was stopped.")] = True,
    json: Json = False,
) -> None:
    """Embed every picture of a source and store it with its label and a thumbnail.

    A source is one of: `drawn` (pictures that the project draws), `cifar100:DIR`, a folder of pictures (its sub-folders
    are labels), a `.csv` or `.parquet` with the columns path, label, caption, a WebDataset `.tar`, or ready embeddings:
    `.npz` (embeddings, ids, labels), `.npy`, or `.parquet` (id, embedding, label, caption).

    Until the build is done, what was in --out before stays. Stopped, it continues when it is called again.
    A knowledge base that a receiver serves is not replaced under it: stop the receiver, or build into another folder.

    - `semlink kb build holiday-pictures/ --out kb` — then `semlink up --kb kb`
    - `semlink kb build cifar100:data --out kb --clip ViT-B-32 --weights openai --download`
    - `semlink kb build features.npz --out kb --clip ViT-B-32 --clip-fingerprint 0123456789abcdef`
    """
    items = open_collection(source, split, download)
    model = _named(items, clip, clip_fingerprint) or load_clip(clip or MODEL, weights, device, download=download)
    size = batch_size or (512 if "cuda" in str(getattr(model, "device", "")) else 64)
    settings = EngineSettings(engine, "cpu", uri=uri)
    with progress(f"embedding {source}") as report:
        built = build_knowledge_base(items, directory, model, size, report, settings=settings, copy=copy, resume=resume)
    document = asdict(built) | {
        "directory": str(directory),
        "skipped": [{"item_id": name, "reason": why} for name, why in built.skipped],
        "duplicates": [{"item_id": name, "same_as": first} for name, first in built.duplicates],
    }
    answer(json, document, lambda: _show(built, directory))


def _named(items: PictureSource | EmbeddingSource, name: str | None, fingerprint: str | None) -> _Identity | None:
    """The CLIP that made ready embeddings, if its fingerprint was given; None if a CLIP has to be loaded."""
    if not isinstance(items, EmbeddingSource):
        if fingerprint is not None:
            raise InvalidSetting("--clip-fingerprint goes with ready embeddings; pictures are embedded by a CLIP")
        return None
    name, fingerprint = _said("clip", name, items.clip), _said("clip-fingerprint", fingerprint, items.clip_fingerprint)
    if name is None:
        raise InvalidSetting("these embeddings do not say which CLIP made them; name it with --clip")
    return None if fingerprint is None else _Identity(name, fingerprint, items.dim)


def _said(option: str, given: str | None, in_file: str) -> str | None:
    """The value of an option, given by the user or by the file. Raises Mismatch if they differ."""
    if given and in_file and given != in_file:
        raise Mismatch(f"--{option} {given}, but the embeddings were made by {in_file}: leave the option out")
    return given or in_file or None


def _show(built: BuildReport, directory: Path) -> None:
    resumed = f", {built.resumed} of them before" if built.resumed else ""
    out.print(f"{built.items} items with {built.labels} labels in {directory}, in {built.seconds:.1f} s{resumed}")
    for what, found in [
        ("skipped, they cannot be read", built.skipped),
        ("left out, the same pictures as others", built.duplicates),
    ]:
        if found:
            complain(f"{len(found)} {what}:")
            complain_of([f"  {name}: {why}" for name, why in found])
