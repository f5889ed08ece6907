"""The `semlink` command."""

import sys
from typing import Annotated

import typer

from cli import bench, channel, kb, lab, send, train, up
from cli.console import err
from cli.demo import command as demo
from shared.errors import InvalidInput, NotFound, SemLinkError
from shared.version import VERSION

app = typer.Typer(
    name="semlink",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"semlink {VERSION}")
        raise typer.Exit


@app.callback()
def semlink(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Send the *meaning* of pictures over a simulated radio link, through real sockets.

    New here? `semlink demo` shows everything in a minute. Then `semlink up` in one terminal,
    and `semlink send PICTURE` in another.
    """


app.command("up", rich_help_panel="The link")(up.up)
app.command("demo", rich_help_panel="The link")(demo.demo)
app.command("send", rich_help_panel="The link")(send.send)
app.add_typer(channel.app, name="channel", rich_help_panel="The link")
app.add_typer(bench.app, name="bench", rich_help_panel="The link")
app.add_typer(kb.app, name="kb", rich_help_panel="Pictures and models")
app.command("features", rich_help_panel="Pictures and models")(lab.features)
app.add_typer(train.train, name="train", rich_help_panel="Pictures and models")
app.command("evaluate", rich_help_panel="Comparisons")(lab.evaluate)
app.command("report", rich_help_panel="Comparisons")(lab.report)
app.command("paper", rich_help_panel="Comparisons")(lab.paper)


def main() -> None:
    """Run the command; an error of SemLink is one line and a status: 2 for wrong input, 1 otherwise."""
    try:
        app()
    except SemLinkError as error:
        err.print(f"semlink: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, InvalidInput | NotFound) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
