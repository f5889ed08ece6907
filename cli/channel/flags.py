"""The channel's settings as flags of commands, made from the settings themselves."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar, cast

import typer

from client.channel_options import ChannelOptions
from shared.phy import ChannelSettings
from shared.phy.conditions.settings import FadingSettings, FaultSettings, NoiseSettings

_PANELS: Final = (
    ("Fading", FadingSettings),
    ("Noise and hardware", NoiseSettings),
    ("Faults and time on the air", FaultSettings),
)
Command = TypeVar("Command", bound=Callable[..., Any])


def takes_channel_options(command: Command) -> Command:
    """Decorate a command that has a parameter `**settings`: every setting of the channel becomes a flag of it.

    Typer reads the signature, so each flag is a parameter there, with its setting's description as help. A flag that
    is not given is None.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    flags = [_flag(name, field) for name, field in ChannelSettings.model_fields.items()]
    inspected: Any = command
    inspected.__signature__ = signature.replace(parameters=[*own, *flags])
    return command


def given(settings: dict[str, Any]) -> ChannelOptions:
    """The flags that were given."""
    return cast(ChannelOptions, {name: value for name, value in settings.items() if value is not None})


def _flag(name: str, field: Any) -> inspect.Parameter:
    default = f"{field.default:g}" if isinstance(field.default, float) else field.default
    option = typer.Option(
        help=f"{field.description[:1].upper()}{field.description[1:]} ({default} unless set).",
        rich_help_panel=next((panel for panel, group in _PANELS if name in group.model_fields), "Randomness"),
    )
    kind = Annotated[field.annotation | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
