"""`semlink kb`: knowledge bases."""

import typer

from cli.kb import build
from cli.kb import edit as change
from cli.kb import maintain as keep
from cli.kb import query as look
from cli.kb import tune as measure

app = typer.Typer(no_args_is_help=True, help="Build a knowledge base, look into one, change one while it serves.")

app.command("build", rich_help_panel="Make")(build.build)
app.command("add", rich_help_panel="Change")(change.add)
app.command("remove", rich_help_panel="Change")(change.remove)
app.command("relabel", rich_help_panel="Change")(change.relabel)
app.command("info", rich_help_panel="Look")(look.info)
app.command("get", rich_help_panel="Look")(look.get)
app.command("search", rich_help_panel="Look")(look.search)
app.command("list", rich_help_panel="Look")(look.list_)
app.command("snapshot", rich_help_panel="Keep")(keep.snapshot)
app.command("restore", rich_help_panel="Keep")(keep.restore)
app.command("verify", rich_help_panel="Keep")(keep.verify)
app.command("compact", rich_help_panel="Keep")(keep.compact)
app.command("tune", rich_help_panel="Measure")(measure.tune)
app.command("calibrate", rich_help_panel="Measure")(measure.calibrate)
app.command("report", rich_help_panel="Measure")(measure.report)
app.command("thin", rich_help_panel="Measure")(measure.thin)
