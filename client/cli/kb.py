"""`semlink kb`: knowledge bases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.cli.console import Json, ReceiverAt, err, out, print_json
from client.cli.heavy import heavy
from client.connection import RECEIVER

if TYPE_CHECKING:
    from client.knowledge_base import KnowledgeBaseInfo

app = typer.Typer(no_args_is_help=True, help="Build a knowledge base, or look at one.")

Clip = Annotated[str, typer.Option(help="clip-tiny, or any model that open_clip knows, such as ViT-B-32.")]
Weights = Annotated[
    str | None, typer.Option(help="A file, or a tag such as openai; none for clip-tiny.", metavar="FILE|TAG")
]
Download = Annotated[bool, typer.Option("--download", help="Fetch what is missing; without it no network is touched.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Pictures that CLIP embeds together.")]


@app.command()
def build(
    source: Annotated[str, typer.Argument(help="drawn, cifar100:DIR, or a folder of pictures.")],
    *,
    directory: Annotated[Path, typer.Option("--out", help="Folder of the knowledge base.")],
    split: Annotated[str | None, typer.Option(help="Part of the source; else kb, or all of a folder.")] = None,
    clip: Clip = "clip-tiny",
    weights: Weights = None,
    download: Download = False,
    device: Device = "auto",
    batch_size: BatchSize = 64,
    json: Json = False,
) -> None:
    """Embed every picture of a source and store it with its label and a thumbnail.

    A folder has one sub-folder per label. Until the build is done, what was in --out before stays.

    - `semlink kb build drawn --out out/kb`
    - `semlink kb build holiday-pictures/ --out kb` — then `semlink up --kb kb`
    - `semlink kb build cifar100:data --out kb --clip ViT-B-32 --weights openai --download`
    """
    from client.cli.progress import progress  # noqa: PLC0415
    from shared.datasets import open_source  # noqa: PLC0415

    pictures = open_source(source, split, download)
    with heavy():
        from receiver.knowledge_base import build_knowledge_base  # noqa: PLC0415
        from shared.clip import load_clip  # noqa: PLC0415
    model = load_clip(clip, weights, device, "auto", download)
    with progress(f"embedding {source}") as report:
        built = build_knowledge_base(pictures, directory, model, batch_size, report)
    if json:
        print_json(_report(built, directory))
        return
    out.print(f"{built.items} pictures with {built.labels} labels in {directory}, in {built.seconds:.1f} s")
    for name, why in built.skipped:
        err.print(f"skipped {name}: {why}", style="yellow", markup=False, highlight=False)
    for name, first in built.duplicates:
        err.print(f"left out {name}: the same picture as {first}", style="yellow", markup=False, highlight=False)


@app.command()
def info(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A knowledge base on disk; without it the receiver's.")
    ] = None,
    receiver: ReceiverAt = RECEIVER,
    json: Json = False,
) -> None:
    """Show what a knowledge base holds.

    - `semlink kb info` — the running receiver's
    - `semlink kb info out/kb`
    """
    found = _of_receiver(receiver) if directory is None else _of_folder(directory)
    if json:
        print_json(found)
        return
    for name, value in found.items():
        out.print(f"{name.replace('_', ' '):18}{value}", markup=False, highlight=False, soft_wrap=True)


def _of_receiver(address: str) -> dict[str, Any]:
    from client.knowledge_base import KnowledgeBaseClient  # noqa: PLC0415

    with KnowledgeBaseClient(address) as knowledge_base:
        described: KnowledgeBaseInfo = knowledge_base.describe()
    return described.to_json()


def _of_folder(directory: Path) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    with heavy():
        from receiver.knowledge_base import KnowledgeBase  # noqa: PLC0415

    with KnowledgeBase.open(directory) as knowledge_base:
        return asdict(knowledge_base.description)


def _report(built: Any, directory: Path) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "items": built.items,
        "labels": built.labels,
        "seconds": built.seconds,
        "skipped": [{"item_id": name, "reason": why} for name, why in built.skipped],
        "duplicates": [{"item_id": name, "same_as": first} for name, first in built.duplicates],
    }
