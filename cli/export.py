"""`semlink export`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.console import answer, out
from cli.options import Download, Json
from shared.clip.export import write_bundle
from shared.clip.name import MODEL


def export(
    *,
    directory: Annotated[Path, typer.Option("--out", help="New folder for the bundle.", metavar="DIR")],
    clip: Annotated[str, typer.Option(help="CLIP model: clip-tiny or any that open_clip knows.")] = MODEL,
    weights: Annotated[
        str | None, typer.Option(help="Its weights: a file, or a tag such as openai.", metavar="FILE|TAG")
    ] = None,
    download: Download = False,
    licence: Annotated[str, typer.Option(help="Licence of CLIP's weights, noted in the manifest.")] = "",
    codecs: Annotated[bool, typer.Option(help="With the weights of the codecs that were trained on it.")] = True,
    json: Json = False,
) -> None:
    """Write a bundle: CLIP's image tower as an OpenVINO model, the codecs' weights, and a manifest.

    Transmitter and receiver run from it without torch and open_clip: `pip install 'semlink[edge]'`, and the folder.

    - `semlink export --out bundle`
    - `semlink export --clip ViT-B-32 --weights openai --licence MIT --out bundle`
    - `semlink up --bundle bundle`
    """
    own = "Apache-2.0" if (clip, weights) == (MODEL, None) else "see the publisher of the weights"
    manifest = write_bundle(directory, clip, weights, download=download, licence=licence or own, codecs=codecs)
    size = sum((directory / name).stat().st_size for name in manifest.files)
    found = {"bundle": str(directory), "bytes": size, **asdict(manifest)}
    answer(json, found, lambda: out.print(f"{directory}: {clip} {manifest.about.fingerprint}, {size / 1e6:.1f} MB"))
