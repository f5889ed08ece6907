"""What commands say about codecs, and the option for codecs of one's own."""

from typing import Annotated

import typer

from shared.codecs.base.registry import EMBEDDING_CODECS, PICTURE_CODECS

CODEC_HELP = (
    f"Of the meaning: {', '.join(EMBEDDING_CODECS)}; of the picture, which the receiver then embeds: "
    f"{', '.join(PICTURE_CODECS)}; or the name of one of your own."
)
OwnCodec = Annotated[
    list[str] | None,
    typer.Option(
        "--own-codec",
        metavar="FILE.py:Class",
        help="A codec of your own that both ends may run; give it several times.",
    ),
]
