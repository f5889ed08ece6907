"""`semlink bench`: how fast it is, as ratios measured in one run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import Json, err, out, print_json
from cli.heavy import heavy

app = typer.Typer(invoke_without_command=True, help="Measure the link against a bare loop in one process.")

Model = Annotated[str, typer.Option("--clip", help="CLIP model, such as clip-tiny or ViT-B-32.")]
Weights = Annotated[
    str | None, typer.Option(metavar="FILE|TAG|random", help="Its weights; random makes an untrained checkpoint.")
]
Batch = Annotated[int, typer.Option(min=1, help="Pictures per batch, on both sides of the comparison.")]


@app.callback()
def bench(
    context: typer.Context,
    *,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="Pictures a second, whatever comes back (open loop).")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Pictures in flight (closed loop).")] = 64,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each turn.")] = 5.0,
    turns: Annotated[int, typer.Option(min=1, help="How often link and bare loop take turns.")] = 3,
    clip: Model = "clip-tiny",
    weights: Weights = None,
    batch_size: Batch = 32,
    transmitter: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="A running link to load instead; then there is no bare loop."),
    ] = None,
    json: Json = False,
) -> None:
    """Load the link and compare it with everything in one process.

    The bare loop does the same work without sockets: preprocess, encode, compress, channel, decode, search. The two
    take turns in one run, because machines are shared and noisy; what counts is the ratio.

    - `semlink bench`
    - `semlink bench --clip ViT-B-32 --weights random`
    - `semlink bench --rate 50 --seconds 20 --transmitter 127.0.0.1:50051`
    - `semlink bench encoder --clip ViT-B-32 --weights random`
    - `semlink bench channel`
    """
    if context.invoked_subcommand is not None:
        return
    with heavy():
        from lab.bench import LinkBench, bench_link  # noqa: PLC0415

    plan = LinkBench(
        clip=clip,
        weights=weights,
        concurrency=concurrency,
        rate=rate,
        seconds=seconds,
        turns=turns,
        batch_size=batch_size,
        address=transmitter,
    )
    with err.status("measuring"):
        result = bench_link(plan)
    _show(result, f"The link with {clip}", json)


@app.command("encoder")
def encoder(
    *,
    clip: Model = "ViT-B-32",
    weights: Weights = "random",
    batch_size: Batch = 8,
    json: Json = False,
) -> None:
    """Measure CLIP's image tower in bfloat16 against float32."""
    with heavy():
        from lab.bench import bench_encoder  # noqa: PLC0415

    with err.status("measuring"):
        result = bench_encoder(clip, weights, batch_size)
    _show(result, f"The encoder {clip}", json)


@app.command("channel")
def channel(
    *,
    bursts: Annotated[int, typer.Option(min=100, help="Bursts of each turn.")] = 4000,
    turns: Annotated[int, typer.Option(min=1, help="How often forwarding and each channel take turns.")] = 5,
    json: Json = False,
) -> None:
    """Measure what the channel costs beyond a relay that only forwards, and how fast its physics computes.

    Processor time of the relay's own process, so other load on the machine matters little.

    - `semlink bench channel`
    - `semlink bench channel --bursts 1000 --turns 3 --json`
    """
    with heavy():
        from lab.bench import ChannelBench, bench_channel  # noqa: PLC0415

    with err.status("measuring"):
        result = bench_channel(ChannelBench(bursts=bursts, turns=turns))
    _show(result, "The channel", json)


@app.command("kb")
def knowledge_base(
    *,
    items: Annotated[int, typer.Option(min=1000, help="Items in the knowledge base; 1000000 takes some minutes.")] = (
        50_000
    ),
    queries: Annotated[int, typer.Option(min=10, help="Single searches, one after the other.")] = 500,
    snr_db: Annotated[float, typer.Option(help="Channel that the queries passed, AWGN, dB.")] = 5.0,
    engine: Annotated[str, typer.Option(help="Index engine; auto takes what suits the size.")] = "auto",
    tune: Annotated[
        float | None, typer.Option(metavar="RECALL", help="Tune the knowledge base to this recall@1 first.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Folder to build it in, and to keep it; else it is thrown away.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure the knowledge base against the bare FAISS index inside it.

    Clustered vectors with class structure are stored and indexed; noisy ones are looked up, in a process of its own.

    - `semlink bench kb`
    - `semlink bench kb --items 1000000 --tune 0.99`
    """
    from cli.progress import progress  # noqa: PLC0415

    with heavy():
        from lab.bench.kb import KnowledgeBaseBench, bench_knowledge_base  # noqa: PLC0415

    plan = KnowledgeBaseBench(items, queries, snr_db, engine, tune, directory)
    with progress("storing") as report:
        result = bench_knowledge_base(plan, report)
    _show(result, f"A knowledge base of {items} items", json)


@app.command("more")
def more(
    *,
    data: Annotated[
        str, typer.Option(help="drawn, cifar100:DIR, or a folder with query/ and kb/: who asks, and who answers.")
    ] = "drawn",
    queries: Annotated[int, typer.Option(min=20, help="Pictures of each row.")] = 500,
    snr_db: Annotated[list[float] | None, typer.Option(help="Give it several times. Else -4 0 4.")] = None,
    fading: Annotated[list[str] | None, typer.Option(help="Several times. Else none and rayleigh.")] = None,
    certainty: Annotated[list[float] | None, typer.Option(help="Several times. Else 0.9 0.99 0.999.")] = None,
    start: Annotated[list[int] | None, typer.Option(help="k of the first round, several times. Else 8 16 32.")] = None,
    propagation_seconds: Annotated[float, typer.Option(min=0, help="Emulated, of each round.")] = 0.005,
    timed: Annotated[int, typer.Option(min=5, help="Pictures sent one at a time, for the latency.")] = 50,
    kb: Annotated[Path | None, typer.Option(help="Folder of the knowledge base, kept; else it is thrown away.")] = None,
    transmitter: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A running link instead, which answers with these data.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw accuracy against bandwidth.")] = None,
    json: Json = False,
) -> None:
    """Measure what asking for more saves: each fixed length against rounds, over three processes.

    `cbr` is the mean bandwidth of the payload, `total` with the pilots and headers of all rounds. `gain`: by how much
    the askers are more often right at the same mean bandwidth; `from k 8, 0.99`: the first round, and the certainty.

    - `semlink bench more`
    - `semlink bench more --data cifar100:data --queries 2000 --figure out/more.png`
    - `semlink bench more --fading rayleigh --snr-db 10 --propagation-seconds 0.25`
    """
    from cli.more_table import more_tables  # noqa: PLC0415
    from cli.progress import progress  # noqa: PLC0415

    with heavy():
        from lab.bench.more import MoreBench, bench_more  # noqa: PLC0415
        from lab.bench.more_figure import draw_more  # noqa: PLC0415

    given = {"snrs_db": snr_db, "fadings": fading, "certainties": certainty, "starts": start}
    lists: dict[str, Any] = {name: tuple(values) for name, values in given.items() if values}
    plan = MoreBench(
        data, queries, propagation_seconds=propagation_seconds, timed=timed, kb=kb, address=transmitter, **lists
    )
    with progress("sending") as report:
        result = bench_more(plan, report)
    if figure is not None:
        draw_more(result, figure)
    if json:
        print_json(result)
    else:
        for table in more_tables(result["rows"]):
            out.print(table)


def _show(result: dict[str, Any], title: str, json: bool) -> None:
    if json:
        print_json(result)
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table("", "", title=title, show_header=False)
    for name, value in result.items():
        table.add_row(name.replace("_", " "), _text(value))
    out.print(table)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < 100 else f"{value:.0f}"
    if isinstance(value, dict):
        return "  ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "  ".join(map(_text, value))
    return str(value)
