"""Commands that are loaded by name when they are called, so that help and shell completion answer at once.

    semlink --help         lists the rows of a table; loads no command
    semlink evaluate ...   loads cli.evaluate, an ordinary module with its imports at the top

A command may need a package of an extra, such as torch. Where that is not installed, the error says how to install it.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from shared.errors import NotFound
from shared.local_path import local_path
from shared.quantity import form_of, unit_of, without_unit

_OWN = {
    "assets",
    "channel_proxy",
    "cli",
    "client",
    "console",
    "lab",
    "local",
    "protos",
    "receiver",
    "shared",
    "transmitter",
}
_FINGERPRINT = re.compile("[0-9a-fA-F]{16}")
_CALLS = {"transmitter", "channel", "receiver"}  # names of options that hold an address
_EXTRAS = {"matplotlib": "plot", "nicegui": "console", "sigmf": "sigmf"}


class Command(NamedTuple):
    """One row of a group's table. target: "module:function". help: one line in the list. panel: its heading there."""

    target: str
    help: str
    panel: str | None = None


def lazy_app(
    help_text: str, commands: Mapping[str, Command], *, default: str | None = None, **options: Any
) -> typer.Typer:
    """A group whose commands are loaded when they are called.

    commands: by name. default: the command that is meant where none is named, and its flags follow the group's name.
    options: further ones of `typer.Typer`.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            listed = {
                name: TyperCommand(name, help=row.help, rich_help_panel=row.panel) for name, row in commands.items()
            }
            self.commands = {**listed, **self.commands}

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            unnamed = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
            if default is not None and unnamed and not ctx.resilient_parsing:  # completion offers all commands
                args = [default, *args]
            return super().parse_args(ctx, args)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in commands:
                loaded = typer.Typer(add_completion=False, rich_markup_mode="markdown")
                loaded.command(name)(load(commands[name].target))
                command = typer.main.get_command(loaded)
                add_security(command)
                for parameter in command.params:
                    read_units(parameter)
                    read_paths(parameter)
                    read_fingerprint(parameter)
            return name, command, rest

    return typer.Typer(
        cls=LazyGroup, help=help_text, no_args_is_help=default is None, rich_markup_mode="markdown", **options
    )


def add_security(command: Any) -> None:
    """Let a command that calls services take certificates and a token; those that hide rare options hide these too."""
    names = {parameter.name for parameter in command.params}
    if not names & _CALLS:
        return
    probe = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    probe.command()(_security)
    options: list[Any] = typer.main.get_command(probe).params
    for option in options:
        option.hidden = "help_all" in names
        option.expose_value = False
        command.params.append(option)


def _secure(variable: str, help_text: str) -> Any:
    def keep(ctx: Any, value: str | None) -> None:  # noqa: ARG001 - typer gives the context first
        """The client library reads it there, and so do processes that this one starts."""
        if value is not None:
            os.environ[variable] = value

    return typer.Option(envvar=variable, metavar="FILE", help=help_text, rich_help_panel="Security", callback=keep)


def _security(
    tls_ca: Annotated[str | None, _secure("SEMLINK_TLS_CA", "Certificates that the services' own come from.")] = None,
    tls_cert: Annotated[str | None, _secure("SEMLINK_TLS_CERT", "Your certificate, for services that ask.")] = None,
    tls_key: Annotated[str | None, _secure("SEMLINK_TLS_KEY", "Its private key.")] = None,
    token_file: Annotated[
        str | None, _secure("SEMLINK_TOKEN_FILE", "Holds your token; or SEMLINK_TOKEN is the token.")
    ] = None,
) -> None:
    """The options that `add_security` adds."""


def read_units(parameter: Any) -> None:
    """Let an option such as --snr-db take `5dB` beside `5`, and say the right form of a number that is none."""
    if unit_of(parameter.name or "") is not None:
        _read_first(parameter, partial(_plain, parameter.name))


def read_paths(parameter: Any) -> None:
    """Let a path begin with ~, which a shell leaves as it is in `--kb=~/kb`, and refuse one that is none here."""
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if Path in {kind, *get_args(kind)}:
        _read_first(parameter, lambda value: str(local_path(value)) if isinstance(value, str) else value)


def read_fingerprint(parameter: Any) -> None:
    """Refuse a fingerprint of a CLIP that no CLIP has, which else only a link would refuse, long afterwards."""
    if parameter.name == "clip_fingerprint":
        _read_first(parameter, _fingerprint)


def _read_first(parameter: Any, read: Callable[[Any], Any]) -> None:
    """Let `read` have each value of a parameter before it is converted; a ValueError is told as the parameter's."""
    convert = parameter.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        try:
            several = isinstance(value, list | tuple)
            found = [read(one) for one in (value if several else [value])]
            return convert(ctx, found if several else found[0])
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=parameter) from error

    parameter.process_value = process_value


def _fingerprint(value: Any) -> Any:
    """It in lower case. Raises ValueError, with the right form, for a text that is none."""
    if not isinstance(value, str):
        return value
    if value and not _FINGERPRINT.fullmatch(value):
        raise ValueError(
            f"{value!r} is no fingerprint: write its 16 hexadecimal digits, as `semlink kb info` shows them for a "
            "knowledge base of the same CLIP"
        )
    return value.lower()


def _plain(name: str, value: Any) -> Any:
    """The number in the text of an option. Raises ValueError, with the right form, if there is none."""
    if not isinstance(value, str):
        return value
    number = without_unit(name, value)
    try:
        float(number)
    except ValueError:
        raise ValueError(f"{value!r} is no number; write {form_of(name)}") from None
    return number


def load(target: str) -> Any:
    """The attribute that "module:attribute" names. Raises NotFound, with the remedy, if a package is not installed.

    The log goes to standard error from then on, since standard output is for the command's answer.
    """
    structlog = import_module("structlog")  # takes 0.1 s, which help need not wait for
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _OWN:
            raise
        remedy = f"pip install 'semlink[{_EXTRAS.get(package, 'lab')}]'"
        raise NotFound(f"this command needs {package}, which is not installed: {remedy}") from error
