"""Options of commands that load a CLIP."""

from pathlib import Path
from typing import Annotated

import typer

Clip = Annotated[str, typer.Option(help="clip-tiny, or any model that open_clip knows, such as ViT-B-32.")]
Weights = Annotated[
    str | None, typer.Option(help="A file, or a tag such as openai; none for clip-tiny.", metavar="FILE|TAG")
]
Download = Annotated[bool, typer.Option("--download", help="Fetch what is missing; without it no network is touched.")]
WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with weights of codecs that go before the shipped ones; else SEMLINK_WEIGHTS_DIR.", metavar="DIR"
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Pictures that CLIP embeds together.")]
