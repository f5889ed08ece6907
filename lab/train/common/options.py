"""Options that the trainings of codecs share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[str, typer.Option(help="Folder with CIFAR-100, or with pictures in train/, query/ and kb/.")]
ClipModel = Annotated[str, typer.Option("--clip", help="clip-tiny, or any model that open_clip knows.")]
ClipWeights = Annotated[
    str | None, typer.Option("--weights", help="Its weights: a file or a tag; none for clip-tiny.", metavar="FILE|TAG")
]
Drawn = Annotated[bool, typer.Option(help="Learn from the drawn set too; the first paper did not.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Features = Annotated[Path, typer.Option(help="Folder for cached embeddings.")]
