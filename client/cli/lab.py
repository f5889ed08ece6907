"""`semlink features` and `semlink train`: doors to the lab, whose own commands hold options and help."""

from importlib import import_module

import typer

from client.cli.heavy import heavy

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

train = typer.Typer(no_args_is_help=True, help="Train the models that the project ships.")


def features(context: typer.Context) -> None:
    """Embed every picture of a source into a file of arrays: `semlink features --help`.

    - `semlink features drawn --split query --out query.npz`
    """
    _enter("lab.features", context)


@train.command("clip-tiny", context_settings=PASS_ON)
def clip_tiny(context: typer.Context) -> None:
    """Train the small CLIP: `semlink train clip-tiny --help`."""
    _enter("lab.train_clip", context)


@train.command("kbsc", context_settings=PASS_ON)
def kbsc(context: typer.Context) -> None:
    """Train the codec of the first paper: `semlink train kbsc --help`."""
    _enter("lab.train_kbsc", context)


def _enter(module: str, context: typer.Context) -> None:
    """Run a lab command with the arguments that this one was given."""
    with heavy():
        command = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        command.command()(import_module(module).main)
    command(context.args, prog_name=context.command_path)
