"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from shared.codecs.base.registry import EMBEDDING_CODECS, PICTURE_CODECS
from shared.phy import PilotPattern

OUT = Path("out")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, and nothing else there.")]


def _show_all(ctx: Any, wanted: bool) -> None:
    """Print the help of a command with the options that --help leaves out."""
    if wanted and not ctx.resilient_parsing:
        for parameter in ctx.command.params:
            parameter.hidden = False
        typer.echo(ctx.get_help())
        raise typer.Exit


HelpAll = Annotated[
    bool,
    typer.Option("--help-all", is_eager=True, callback=_show_all, help="List the rare options too, and exit."),
]


def rare(help_text: str, *names: str, panel: str = "Radio", metavar: str | None = None) -> Any:
    """An option that only --help-all lists."""
    return typer.Option(*names, help=help_text, rich_help_panel=panel, metavar=metavar, hidden=True)


# --- addresses --------------------------------------------------------------------------------------------------------


def _address(service: str) -> Any:
    variable = f"SEMLINK_{service.upper()}"
    return typer.Option(envvar=variable, metavar="HOST:PORT", help=f"The {service}.", rich_help_panel="Addresses")


Transmitter = Annotated[str, _address("transmitter")]
ChannelAt = Annotated[str, _address("channel")]
ReceiverAt = Annotated[str, _address("receiver")]

# --- CLIP -------------------------------------------------------------------------------------------------------------

Clip = Annotated[str, typer.Option(help="clip-tiny, clip-scenes, or any model of open_clip, such as ViT-B-32.")]
Weights = Annotated[
    str | None, typer.Option(help="A file, or a tag such as openai; none for those that ship.", metavar="FILE|TAG")
]
Download = Annotated[bool, typer.Option("--download", help="Fetch what is missing; else the network is not used.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Pictures that CLIP embeds together.")]

# --- codecs -----------------------------------------------------------------------------------------------------------

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
WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with weights of codecs, preferred to the shipped ones; else SEMLINK_WEIGHTS_DIR.", metavar="DIR"
    ),
]
ASK_FOR_MORE_HELP = "HARQ with incremental redundancy: begin with few symbols, send more while the receiver asks."
CERTAINTY_HELP = "Posterior threshold of HARQ: the receiver asks for more below it; else 0.99."

# --- radio ------------------------------------------------------------------------------------------------------------

PilotFlag = Annotated[
    Literal["preamble", "scattered", "front", "spread"] | None,
    typer.Option(
        "--pilot-pattern",
        "--pilot-placing",
        metavar="preamble|scattered",
        help="preamble (or front): one gain for the burst; scattered (or spread): the gain is tracked along it.",
        rich_help_panel="Radio",
        hidden=True,
    ),
]
_SYNONYMS: dict[str, PilotPattern] = {"front": "preamble", "spread": "scattered"}


def standard_pattern(name: str | None) -> PilotPattern | None:
    """The pilot pattern that a user names by the standard term or by its synonym."""
    return None if name is None else _SYNONYMS.get(name, cast(PilotPattern, name))
