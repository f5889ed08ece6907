"""`semlink train NAME`: a command for each row of the lab's registry of trainers, with its settings as flags."""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from cli.lazy import Command, lazy_app, load
from lab.train.registry import TRAINERS
from shared.files import make_directory

train = lazy_app(
    "Train the models that the project ships, on any CLIP.",
    {name: Command(f"cli.train:{name}", f"{trainer.help}.") for name, trainer in TRAINERS.items()},
)


def __getattr__(name: str) -> Callable[..., None]:
    """The command that trains `name`."""
    if name not in TRAINERS:
        raise AttributeError(name)
    trainer = TRAINERS[name]
    settings = load(trainer.settings)

    def run(**given: Any) -> None:
        chosen = settings(name=name, **{flag: value for flag, value in given.items() if value is not None})
        make_directory(chosen.out)  # hours before it is written to
        load(trainer.function)(chosen)

    flags = [_flag(flag, field) for flag, field in settings.model_fields.items() if field.description]
    flags.sort(key=lambda flag: flag.default is not Parameter.empty)
    data = " --data data" if settings.model_fields["data"].is_required() else ""
    run.__doc__ = f"{trainer.help}.\n\n- `semlink train {name}{data}`"
    run.__signature__ = Signature(flags)  # type: ignore[attr-defined]
    return run


def _flag(name: str, field: Any) -> Parameter:
    """An option with the name, type, minimum, default and description of a pydantic field; none if it is computed."""
    minimum = next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None)
    kind = field.annotation if field.default_factory is None else field.annotation | None
    default = None if field.default_factory else field.default
    option = Annotated[kind, typer.Option(help=field.description, min=minimum)]  # type: ignore[valid-type]
    default = Parameter.empty if field.is_required() else default
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=option)
