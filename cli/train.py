"""`semlink train NAME`: one command for each row of the lab's registry of trainers, its flags from its settings."""

from inspect import Parameter, Signature
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cli.lazy import loading
from lab.train.registry import TRAINERS, Trainer

train = typer.Typer(no_args_is_help=True, help="Train the models that the project ships, on any CLIP.")


def _flag(name: str, field: FieldInfo) -> Parameter:
    """An option of that field's name, type, least value, default and description; computed defaults show as none."""
    known = field.is_required() or field.default is not PydanticUndefined
    least = next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None)
    option = typer.Option(help=field.description, min=least)
    kind: Any = field.annotation
    default = Parameter.empty if field.is_required() else field.get_default()
    annotation: Any = Annotated[kind if known else kind | None, option]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default if known else None, annotation=annotation)


def _command(name: str, trainer: Trainer) -> Any:
    def run(**given: Any) -> None:
        settings = trainer.settings(name=name, **{key: value for key, value in given.items() if value is not None})
        with loading():
            function = trainer.load()
        function(settings)

    fields = trainer.settings.model_fields.items()
    flags = [_flag(field_name, field) for field_name, field in fields if field.description]
    flags.sort(key=lambda flag: flag.default is not Parameter.empty)
    run.__signature__ = Signature(flags)  # type: ignore[attr-defined]
    run.__annotations__ = {flag.name: flag.annotation for flag in flags}
    return run


for _name, _trainer in TRAINERS.items():
    train.command(_name, help=f"{_trainer.help}.")(_command(_name, _trainer))
