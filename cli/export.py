"""`semlink export`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.console import answer, out
from cli.options import Download, Json
from shared.clip.export import write_bundle
from shared.clip.name import MODEL, SHIPPED
from shared.files import read_regular, readable

_MOST_WORDS_BYTES: Final = 1 << 20


def export(
    *,
    directory: Annotated[Path, typer.Option("--out", help="New folder for the bundle.", metavar="DIR")],
    clip: Annotated[str, typer.Option(help="CLIP model: clip-tiny, clip-scenes or any of open_clip.")] = MODEL,
    weights: Annotated[
        str | None, typer.Option(help="Its weights: a file, or a tag such as openai.", metavar="FILE|TAG")
    ] = None,
    download: Download = False,
    licence: Annotated[str, typer.Option(help="Licence of CLIP's weights, noted in the manifest.")] = "",
    codecs: Annotated[bool, typer.Option(help="With the weights of the codecs that were trained on it.")] = True,
    words: Annotated[
        Path | None,
        typer.Option(help="A text: the text tower knows its words alone, and is smaller.", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """Write a bundle: CLIP's two towers as OpenVINO models, the codecs' weights, and a manifest.

    Transmitter and receiver run from it without torch and open_clip: `pip install 'semlink[edge]'`, and the folder.

    - `semlink export --out bundle`
    - `semlink export --clip ViT-B-32 --weights openai --licence MIT --out bundle`
    - `semlink up --bundle bundle`
    """
    own = "Apache-2.0" if clip in SHIPPED and weights is None else "see the publisher of the weights"
    known = None if words is None else _text_of(words)
    manifest = write_bundle(
        directory, clip, weights, download=download, licence=licence or own, codecs=codecs, words=known
    )
    size = sum((directory / name).stat().st_size for name in manifest.files)
    found = {"bundle": str(directory), "bytes": size, **asdict(manifest)}
    answer(json, found, lambda: out.print(f"{directory}: {clip} {manifest.about.fingerprint}, {size / 1e6:.1f} MB"))


def _text_of(file: Path) -> str:
    with readable(f"{file} is no text that can be read"):
        return read_regular(file, _MOST_WORDS_BYTES).decode()
