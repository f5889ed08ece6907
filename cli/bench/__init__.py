"""`semlink bench`: speed and cost, as ratios measured in one run."""

from cli.lazy import Command, lazy_app

app = lazy_app(
    "Measure the link against a bare loop in one process. `semlink bench` alone is `semlink bench link`.",
    {
        "link": Command("cli.bench.speed:link", "Load the link and compare it with everything in one process."),
        "latency": Command("cli.bench.speed:latency", "Measure each stage of one picture alone and in the link."),
        "encoder": Command("cli.bench.speed:encoder", "Measure CLIP's image tower in bfloat16 against float32."),
        "channel": Command("cli.bench.speed:channel", "Measure what the channel costs beyond a relay."),
        "ask": Command("cli.bench.speed:ask", "Measure each stage of one question about a picture in the link."),
        "kb": Command("cli.bench.speed:knowledge_base", "Measure the knowledge base against the bare FAISS index."),
        "metrics": Command("cli.bench.speed:metrics", "Measure what --metrics-port costs: two links in turn."),
        "more": Command("cli.bench.harq:more", "Measure what HARQ saves: each fixed length against rounds."),
    },
    default="link",
)
