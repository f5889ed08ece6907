"""`semlink train`: doors to the lab's trainings, which have options and help of their own."""

from importlib import import_module
from typing import NamedTuple

import typer

from cli.lazy import loading

train = typer.Typer(no_args_is_help=True, help="Train the models that the project ships, on any CLIP.")


class _Training(NamedTuple):
    """module: of the lab, with a `main`. first: what it is given before the user's arguments."""

    module: str
    what: str
    first: tuple[str, ...] = ()


_TRAININGS = {
    "clip-tiny": _Training("lab.train.clip.train", "Train the small CLIP"),
    "kbsc": _Training("lab.train.kbsc.train", "Train the codec of the first paper"),
    "kbsc-authors": _Training("lab.train.kbsc.authors", "Train the same network in its authors' own channel"),
    "nested": _Training("lab.train.nested.train", "Train the nested codec, one model for all lengths"),
    "label": _Training("lab.train.label.train", "Train the plain digital competitor"),
    "vq-digital": _Training("lab.train.vq.train", "Make the digital competitor that quantizes the embedding"),
    "deepjscc": _Training("lab.train.jscc.train", "Train the convolutional codec of pictures", ("deepjscc",)),
    "swinjscc": _Training("lab.train.jscc.train", "Train the small Swin codec of pictures", ("swinjscc",)),
}
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def _enter(context: typer.Context) -> None:
    training = _TRAININGS[str(context.info_name)]
    with loading():
        main = import_module(training.module).main
    command = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    command.command()(main)
    command([*training.first, *context.args], prog_name=context.command_path)


for _name, _training in _TRAININGS.items():
    _help = f"{_training.what}; its options: `semlink train {_name} --help`."
    train.command(_name, context_settings=_PASS_ON, help=_help)(_enter)
