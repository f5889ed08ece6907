"""The `semlink` command."""

import os
import signal
import sys
from typing import Annotated

import typer

from cli import bench, channel, kb, train
from cli.console import complain, status_of
from cli.lazy import Command, lazy_app
from shared.errors import SemLinkError
from shared.files import said
from shared.observe import otlp
from shared.version import VERSION

_LINK, _MODELS, _COMPARISONS = "The link", "Pictures and models", "Comparisons"

app = lazy_app(
    """Send the *meaning* of pictures over a simulated radio link, through real sockets.

    New here? `semlink demo` shows everything in a minute. Then `semlink up` in one terminal,
    and `semlink send PICTURE` in another.
    """,
    {
        "up": Command("cli.up:up", "Run transmitter, channel and receiver on this machine until Ctrl-C.", _LINK),
        "down": Command("cli.down:down", "Stop the link that runs on this machine.", _LINK),
        "doctor": Command(
            "cli.doctor.command:doctor", "Check the installation and the running link, and say what to do.", _LINK
        ),
        "console": Command("cli.web:console", "Show the running link on a page in the browser.", _LINK),
        "demo": Command(
            "cli.demo.command:demo", "Start a link, send pictures through good and bad channels, draw them.", _LINK
        ),
        "send": Command("cli.send:send", "Send pictures over the link and show the receiver's answers.", _LINK),
        "ask": Command("cli.ask:ask", "Send of a picture what a question is about, and get the answer.", _LINK),
        "export": Command("cli.export:export", "Write a bundle from which the services run without torch.", _MODELS),
        "features": Command(
            "cli.features:features", "Embed every picture of a source into one file of arrays.", _MODELS
        ),
        "evaluate": Command(
            "cli.evaluate:evaluate", "Compare schemes over many channels, off line, into one table.", _COMPARISONS
        ),
        "report": Command("cli.evaluate:report", "Draw figures and write tables of a comparison.", _COMPARISONS),
        "paper": Command("cli.paper:paper", "Repeat the first paper's comparison with another CLIP.", _COMPARISONS),
        "paper-uoisc": Command(
            "cli.paper_uoisc:paper_uoisc", "Repeat the second paper's comparison with real networks.", _COMPARISONS
        ),
    },
    name="semlink",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)
app.add_typer(channel.app, name="channel", rich_help_panel=_LINK)
app.add_typer(bench.app, name="bench", rich_help_panel=_LINK)
app.add_typer(kb.app, name="kb", rich_help_panel=_MODELS)
_certs = lazy_app(
    "Certificates of a link, from an authority for development; see docs/how-to/security.md.",
    {
        "init": Command("cli.certs:init", "Make an authority, and certificates of the services and a client."),
        "renew": Command("cli.certs:renew", "Make certificates anew, by the same authority."),
        "list": Command("cli.certs:list_", "Show until when certificates are valid."),
    },
)
_token = lazy_app(
    "Tokens by which services know their callers, and their roles; see docs/how-to/security.md.",
    {
        "new": Command("cli.token:new", "Make a token that services accept."),
        "list": Command("cli.token:list_", "List the tokens that services accept."),
        "remove": Command("cli.token:remove", "Take a token away."),
    },
)
app.add_typer(_certs, name="certs", rich_help_panel=_LINK)
app.add_typer(_token, name="token", rich_help_panel=_LINK)
app.add_typer(train.train, name="train", rich_help_panel=_MODELS)


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
    """The options of `semlink` itself."""


def main() -> None:
    """Run the command; an error of SemLink or the system is one line and a status: 2 for wrong input, 1 otherwise."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own log, between lines for people; errors are raised
    try:
        otlp.start("client")
        app()
    except SemLinkError as error:
        complain(f"semlink: {error}", "red")
        sys.exit(status_of(error))
    except BrokenPipeError:
        _leave_pipe()
    except UnicodeEncodeError as error:
        if not error.reason.startswith("surrogates"):
            raise
        complain(
            f"semlink: {error.object!r} is no text in UTF-8, as arguments and the names of files have to be", "red"
        )
        sys.exit(2)
    except OSError as error:
        complain(f"semlink: {said(error)}", "red")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        otlp.stop()


def _leave_pipe() -> None:
    """The reader, such as `head`, has seen enough: end as a program does that SIGPIPE ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would complain when it flushes
    sys.exit(128 + signal.SIGPIPE)


if __name__ == "__main__":
    main()
