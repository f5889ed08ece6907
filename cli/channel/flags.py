"""The channel's settings as flags of commands, made from the settings themselves."""

import inspect
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Annotated, Any, Final, TypeVar, cast

import typer
from pydantic import TypeAdapter

from client.channel_options import ChannelOptions
from shared.errors import InvalidSetting
from shared.phy import ChannelSettings
from shared.phy.conditions.settings import FadingSettings, FaultSettings, NoiseSettings
from shared.quantity import without_unit

_PANELS: Final = (
    ("Fading", FadingSettings),
    ("Noise and hardware", NoiseSettings),
    ("Faults and time on the air", FaultSettings),
)
_SET: Final = "set"
_CHANNEL: Final = "Channel"
_KEYS: Final = typer.Option(
    "--set",
    metavar="KEY=VALUE",
    help="Any setting of the channel by its name, such as doppler_hz=20; may be repeated.",
    rich_help_panel=_CHANNEL,
)
Command = TypeVar("Command", bound=Callable[..., Any])


def takes_channel_options(
    shown: Collection[str] = tuple(ChannelSettings.model_fields), without: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Decorate a command that has a parameter `**settings`: every setting of the channel becomes a flag of it.

    Typer reads the signature, so each flag is a parameter there, with its setting's description as help. A flag that
    is not given is None. `--set KEY=VALUE` takes any of them too.
    shown: settings that --help lists; --help-all lists the others as well. without: those that get no flag
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        few = len(shown) < len(ChannelSettings.model_fields)
        flags = [
            _flag(name, field, _CHANNEL if few and name in shown else _panel(name), hidden=name not in shown)
            for name, field in ChannelSettings.model_fields.items()
            if name not in without
        ]
        flags.append(_parameter(_SET, list[str] | None, _KEYS))
        inspected: Any = command
        inspected.__signature__ = signature.replace(parameters=[*own, *flags])
        return command

    return decorate


def given(settings: dict[str, Any]) -> ChannelOptions:
    """The flags that were given, those of --set among them."""
    found = {name: value for name, value in settings.items() if value is not None and name != _SET}
    for pair in settings.get(_SET) or ():
        name, value = _setting(pair)
        if name in found:
            raise InvalidSetting(f"--set {pair}: {name} is given twice")
        found[name] = value
    return cast(ChannelOptions, found)


def _setting(pair: str) -> tuple[str, Any]:
    """Name and value of KEY=VALUE, checked against the settings of the channel."""
    key, equals, text = pair.partition("=")
    name = key.strip().replace("-", "_")
    if not equals:
        raise InvalidSetting(f"--set {pair}: write KEY=VALUE, such as --set doppler_hz=20")
    field = ChannelSettings.model_fields.get(name)
    if field is None:
        near = get_close_matches(name, ChannelSettings.model_fields, cutoff=0.5)
        known = f"do you mean {' or '.join(near)}?" if near else f"it has {', '.join(ChannelSettings.model_fields)}"
        raise InvalidSetting(f"--set {pair}: the channel has no setting {name!r}; {known}")
    try:
        kind: Any = Annotated[field.annotation, field]
        return name, TypeAdapter(kind).validate_python(without_unit(name, text))
    except ValueError as error:
        raise InvalidSetting(f"--set {pair}: refused; {name}: {field.description}") from error


def _panel(name: str) -> str:
    return next((panel for panel, group in _PANELS if name in group.model_fields), "Randomness")


def _flag(name: str, field: Any, panel: str, *, hidden: bool) -> inspect.Parameter:
    default = f"{field.default:g}" if isinstance(field.default, float) else field.default
    option = typer.Option(
        help=f"{field.description[:1].upper()}{field.description[1:]} ({default} unless set).",
        rich_help_panel=panel,
        hidden=hidden,
    )
    return _parameter(name, field.annotation | None, option)


def _parameter(name: str, annotation: Any, option: Any) -> inspect.Parameter:
    kind = Annotated[annotation, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
