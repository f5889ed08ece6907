"""`semlink kb`: knowledge bases."""

from cli.lazy import Command, lazy_app

app = lazy_app(
    "Build a knowledge base, search one, change one while it serves.",
    {
        "build": Command("cli.kb.build:build", "Embed a source and store it with labels and thumbnails.", "Make"),
        "add": Command("cli.kb.edit:add", "Add pictures or embeddings while the receiver serves.", "Change"),
        "remove": Command("cli.kb.edit:remove", "Remove items, all or none.", "Change"),
        "relabel": Command("cli.kb.edit:relabel", "Give items another label, all or none.", "Change"),
        "info": Command("cli.kb.query:info", "Show what a knowledge base holds.", "Query"),
        "get": Command("cli.kb.query:get", "Show one item, and write its picture.", "Query"),
        "search": Command("cli.kb.query:search", "Search by words, by a picture, by an item or by a vector.", "Query"),
        "list": Command("cli.kb.query:list_", "List items in the order in which they were added.", "Query"),
        "snapshot": Command("cli.kb.maintain:snapshot", "Copy a knowledge base as it is now.", "Maintain"),
        "restore": Command("cli.kb.maintain:restore", "Go back to a snapshot.", "Maintain"),
        "verify": Command("cli.kb.maintain:verify", "Compare everything on disk with its checksums.", "Maintain"),
        "compact": Command(
            "cli.kb.maintain:compact", "Rebuild the index, free the space of removed items.", "Maintain"
        ),
        "tune": Command("cli.kb.tune:tune", "Find the fastest index engine that reaches a recall.", "Tune"),
        "calibrate": Command("cli.kb.tune:calibrate", "Calibrate the receiver's confidence to a probability.", "Tune"),
        "report": Command("cli.kb.tune:report", "Measure retrieval accuracy and open-set detection.", "Tune"),
        "thin": Command("cli.kb.tune:thin", "Prototype selection: keep the best items of each label.", "Tune"),
    },
)

_snapshots = lazy_app(
    "List the snapshots of a knowledge base, remove one.",
    {
        "list": Command("cli.kb.snapshots:list_", "Names, sizes and times of the snapshots."),
        "remove": Command("cli.kb.snapshots:remove", "Remove a snapshot."),
    },
)
app.add_typer(_snapshots, name="snapshots", rich_help_panel="Maintain")
