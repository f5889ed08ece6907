"""`semlink up`: the link on this machine."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Timer
from time import sleep
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.console import answer, complain, err, out, stop_if_told, stop_on_signals
from cli.options import CODEC_HELP, OUT, Download, Json, OwnCodec, WeightsDir
from client.connection import CHANNEL, TRANSMITTER
from local.health import is_serving
from local.running_links import registered
from local.service_process import command_line
from local.supervisor import SERVICES, LinkPlan, LocalLink, check_ports

Kb = Annotated[
    Path | None,
    typer.Option(
        "--kb", help="Folder of the knowledge base; else one in --out, named after what is in it.", metavar="DIR"
    ),
]
Source = Annotated[str, typer.Option(help="What the knowledge base is built from if --kb holds none.")]
Clip = Annotated[str | None, typer.Option(help="CLIP model of both ends, such as ViT-B-32; else clip-tiny.")]
Weights = Annotated[str | None, typer.Option(help="Its weights: a file, or a tag such as openai.", metavar="FILE|TAG")]
Bundle = Annotated[
    Path | None,
    typer.Option(help="Folder of `semlink export`, in place of CLIP and weights: no torch is needed.", metavar="DIR"),
]
Codec = Annotated[str | None, typer.Option(help=f"Codec of pictures that name none. {CODEC_HELP}")]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for what this run writes: logs, knowledge base.")]
_PATIENCE_SECONDS = 20.0
_Port = typer.Option(min=0, max=65535, help="0 lets the system choose.", rich_help_panel="Ports")


def up(
    *,
    kb: Kb = None,
    source: Source = "drawn",
    clip: Clip = None,
    weights: Weights = None,
    bundle: Bundle = None,
    weights_dir: WeightsDir = None,
    download: Download = False,
    codec: Codec = None,
    own_codec: OwnCodec = None,
    device: Device = None,
    directory: Out = OUT,
    transmitter_port: Annotated[int, _Port] = 50051,
    channel_port: Annotated[int, _Port] = 50052,
    receiver_port: Annotated[int, _Port] = 50053,
    console: Annotated[bool, typer.Option("--console", help="The page in the browser too: `semlink console`.")] = False,
    console_port: Annotated[int, _Port] = 8080,
    json: Json = False,
) -> None:
    """Run transmitter, channel and receiver on this machine until Ctrl-C.

    The first run builds a knowledge base of pictures that the project draws itself; nothing is downloaded.

    Ctrl-C, SIGTERM, the end of the terminal and `semlink down` stop all three. In the background of a script
    (`semlink up &`) SIGINT is ignored, as POSIX wants it, and under nohup SIGHUP; the others work there too.

    - `semlink up`
    - `semlink up --console` — with the page at http://127.0.0.1:8080
    - `semlink up --kb my-kb --source holiday-pictures/` — your own pictures, one sub-folder per label
    - `semlink up --clip ViT-B-32 --weights openai --codec raw` — a real CLIP, from this machine's cache
    - `semlink up --own-codec signs.py:Signs --codec signs` — see docs/tutorial/your-own-codec.md
    - `SEMLINK_CHANNEL_SNR_DB=0 semlink up` — any setting of a service, by environment;
      `python -m channel_proxy --help` lists them, and so do transmitter and receiver
    """
    stop_on_signals()
    ports = {"transmitter": transmitter_port, "channel_proxy": channel_port, "receiver": receiver_port}
    models: dict[str, Any] = {
        "clip": clip,
        "weights": weights,
        "bundle": bundle,
        "device": device,
        "download": download,
        "own_codec": own_codec,
    }
    models["weights_dir"] = weights_dir
    plan = make_plan(directory, kb=kb, source=source, models=models, codec=codec, ports=ports)
    if console:
        check_ports({"console": console_port})
    with running(plan) as link:
        addresses = link.addresses
        answer(json, addresses, lambda: say_ready(link))
        with _console(addresses, console_port) if console else nullcontext():
            _wait(link)


def make_plan(
    directory: Path,
    *,
    kb: Path | None,
    source: str,
    models: Mapping[str, Any],
    codec: str | None = None,
    ports: Mapping[str, int] | None = None,
    read_only: bool = False,
) -> LinkPlan:
    """The plan from the options that `up` and `demo` share. models: flags of both ends, for `command_line`."""
    flags = command_line(**models)
    return LinkPlan(
        knowledge_base=kb or directory / "kb" / _slug(source, models.get("clip")),
        directory=directory / "logs",
        source=source,
        renew=kb is None,
        ports=ports or {},
        flags={"transmitter": [*flags, *command_line(codec=codec)], "receiver": flags},
        read_only=read_only,
    )


def _slug(source: str, clip: str | None) -> str:
    """Folder name made of source and CLIP: knowledge bases of different content lie in different folders."""
    return re.sub(r"[^\w.]+", "-", "-".join(filter(None, (source, clip)))).strip("-.") or "kb"


@contextmanager
def running(plan: LinkPlan) -> Iterator[LocalLink]:
    """The link of a plan, stopped at the end; while it starts, a line on standard error shows the services' states."""
    states = dict.fromkeys(SERVICES, "waiting")
    with err.status("starting") as status:

        def show(name: str, state: str) -> None:
            states[name] = state
            told = (Text.assemble(service, " ", (state, "dim")) for service, state in states.items())
            status.update(Text(", ").join(told))

        link = LocalLink(plan, show, stop_if_told)
        with _telling(link, states):
            link.start()
    try:
        with registered(link.addresses):
            yield link
    finally:
        link.stop()


@contextmanager
def _telling(link: LocalLink, states: Mapping[str, str]) -> Iterator[None]:
    """While the body runs longer than some seconds: say what it waits for, and the end of that service's log."""

    def tell() -> None:
        for name, service in link.services.items():
            if states[name] != "ready" and not (service.bound and is_serving(service.bound_address(0.0))):
                complain(f"still waiting for {name} ({states[name]}); the end of {service.log}:\n{service.tail()}")

    timer = Timer(_PATIENCE_SECONDS, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say_ready(link: LocalLink) -> None:
    """Print the addresses of the link and what to type next."""
    table = Table.grid(padding=(0, 2))
    table.add_row("transmitter", link.transmitter, "pictures go in here")
    table.add_row("channel", link.channel, "fading and noise")
    table.add_row("receiver", link.receiver, f"knowledge base {link.plan.knowledge_base}")
    out.print("The link is up.", style="bold green")
    out.print(table)
    out.print(f"Logs are in {link.plan.directory}. Try, in another terminal:\n")
    at = "" if link.transmitter == TRANSMITTER else f" --transmitter {link.transmitter}"
    channel_at = "" if link.channel == CHANNEL else f" --channel {link.channel}"
    out.print(f"    semlink send PICTURE --snr-db 5{at}", style="bold", highlight=False)
    out.print(f"    semlink channel set --snr-db 0 --fading rayleigh{channel_at}", style="bold", highlight=False)
    out.print("\nCtrl-C stops it, or `semlink down` in another terminal.", style="dim")


@contextmanager
def _console(addresses: Mapping[str, str], port: int) -> Iterator[None]:
    """The console of a link, in a process of its own; the link goes on should it end."""
    flags = command_line(**addresses, port=port)
    with subprocess.Popen([sys.executable, "-P", "-m", "semlink", "console", "--no-open", *flags]) as process:
        try:
            yield
        finally:
            process.terminate()


def _wait(link: LocalLink) -> None:
    while True:
        sleep(0.5)
        link.check()
