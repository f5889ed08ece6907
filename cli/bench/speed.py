"""`semlink bench link`, `latency`, `encoder`, `ask`, `channel`, `kb`, `metrics`: speed, as ratios in one run."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.console import answer, err, out
from cli.options import Json
from cli.progress import progress
from lab.bench import ChannelBench, LinkBench, bench_channel, bench_encoder, bench_link
from lab.bench.ask import AskBench, bench_ask
from lab.bench.kb import KnowledgeBaseBench, bench_knowledge_base
from lab.bench.latency import LatencyBench, bench_latency
from lab.bench.ledger_figure import draw_ledger
from lab.bench.metrics import MetricsBench, bench_metrics

Model = Annotated[str, typer.Option("--clip", help="CLIP model, such as clip-tiny or ViT-B-32.")]
Weights = Annotated[
    str | None, typer.Option(metavar="FILE|TAG|random", help="Its weights; random makes an untrained checkpoint.")
]
Batch = Annotated[int, typer.Option(min=1, help="Pictures per batch, on both sides of the comparison.")]
Against = Annotated[
    str | None,
    typer.Option(metavar="COMMIT|FOLDER", help="Another release, whose link takes turns with this one's."),
]


def link(
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
    against: Against = None,
    curve: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Then load it with 1, 2, 4 ... pictures in flight, and draw the ledger."),
    ] = None,
    json: Json = False,
) -> None:
    """Load the link and compare it with everything in one process.

    The bare loop does the same work without sockets: preprocess, encode, compress, channel, decode, search. The two
    take turns in one run, because machines are shared and noisy: compare the ratio, not the times.

    - `semlink bench`
    - `semlink bench --clip ViT-B-32 --weights random`
    - `semlink bench --against cd5914a`
    - `semlink bench --curve out/ledger.png`
    - `semlink bench --rate 50 --seconds 20 --transmitter 127.0.0.1:50051`
    """
    plan = LinkBench(
        clip=clip,
        weights=weights,
        concurrency=concurrency,
        rate=rate,
        seconds=seconds,
        turns=turns,
        batch_size=batch_size,
        address=transmitter,
        against=against,
        curve=curve is not None,
    )
    with err.status("measuring"):
        result = bench_link(plan)
    if curve is not None:
        draw_ledger(result["curve"], curve)
    _show(result, f"The link with {clip}", json)


def encoder(
    *,
    clip: Model = "ViT-B-32",
    weights: Weights = "random",
    batch_size: Batch = 8,
    json: Json = False,
) -> None:
    """Measure CLIP's image tower in torch and in OpenVINO, in float32 and in bfloat16.

    - `semlink bench encoder --clip ViT-B-32 --weights random`
    """
    with err.status("measuring"):
        result = bench_encoder(clip, weights, batch_size)
    _show(result, f"The encoder {clip}", json)


def latency(
    *,
    pictures: Annotated[int, typer.Option(min=5, help="Pictures of each turn, one after the other.")] = 40,
    turns: Annotated[int, typer.Option(min=1, help="How often the parts take turns.")] = 5,
    codec: Annotated[str, typer.Option(help="Codec of embeddings.")] = "nested",
    k: Annotated[int, typer.Option(help="Its length, real dimensions.")] = 64,
    against: Against = None,
    json: Json = False,
) -> None:
    """Measure the way of one picture: each stage alone in a process, in the running link, and the ratio.

    Alone is the floor of a stage. That of the way there and back (access, wire, other) is three bare gRPC ping-pongs.

    - `semlink bench latency`
    - `semlink bench latency --against cd5914a --json`
    """
    with err.status("measuring"):
        result = bench_latency(LatencyBench(codec, k, pictures, turns, against))
    _show(result, "One picture, medians", json)


def ask(
    *,
    questions: Annotated[int, typer.Option(min=5, help="Questions, one after the other.")] = 60,
    codec: Annotated[str, typer.Option(help="Codec that takes questions.")] = "uo-isc",
    bits: Annotated[int, typer.Option(help="Bits of each picture.")] = 384,
    transmitter: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A running link to ask, in place of one of its own.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure the way of one question about a drawn scene, with the stages of its ledger, and the machine's load.

    - `semlink bench ask`
    """
    with err.status("measuring"):
        result = bench_ask(AskBench(questions, codec, bits, transmitter))
    _show(result, "One question, medians", json)


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
    with err.status("measuring"):
        result = bench_channel(ChannelBench(bursts=bursts, turns=turns))
    _show(result, "The channel", json)


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
    uri: Annotated[
        str | None, typer.Option(help="Of engine milvus: a FILE.db for Milvus Lite, or http://HOST:19530.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure the knowledge base against the bare index inside it.

    Clustered vectors with class structure are stored and indexed; noisy ones are looked up, in a process of its own.

    - `semlink bench kb`
    - `semlink bench kb --items 1000000 --tune 0.99`
    - `semlink bench kb --engine milvus --uri http://127.0.0.1:19530`
    """
    plan = KnowledgeBaseBench(items, queries, snr_db, engine, tune, directory, uri=uri)
    with progress("storing") as report:
        result = bench_knowledge_base(plan, report)
    _show(result, f"A knowledge base of {items} items", json)


def metrics(
    *,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each turn.")] = 5.0,
    turns: Annotated[int, typer.Option(min=1, help="Turns of each link.")] = 5,
    concurrency: Annotated[int, typer.Option(min=1, help="Pictures in flight.")] = 16,
    json: Json = False,
) -> None:
    """Measure what --metrics-port costs: two links under the same load in turn, one of them scraped each second.

    Ratios are with over without. What counting itself costs, with or without a port, is counting_share.

    - `semlink bench metrics`
    - `semlink bench metrics --turns 3 --seconds 2 --json`
    """
    with err.status("measuring"):
        result = bench_metrics(MetricsBench(seconds, turns, concurrency))
    _show(result, "Metrics", json)


def _show(result: dict[str, Any], title: str, json: bool) -> None:
    table = Table("", "", title=title, show_header=False)
    for name, value in result.items():
        table.add_row(name.replace("_", " "), _text(value))
    answer(json, result, lambda: out.print(table))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < 100 else f"{value:.0f}"
    if isinstance(value, dict):
        return "  ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "  ".join(map(_text, value))
    return str(value)
