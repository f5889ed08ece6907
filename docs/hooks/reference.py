"""Writes the reference: one page per package from its docstrings, the services' settings, the command line, the .proto
files. The pages follow the code, so that no list of modules has to be kept.
"""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
SERVICES = ("transmitter", "channel_proxy", "receiver")
PACKAGES = [
    name for name in ("semlink", "client", "shared", *SERVICES, "local", "console", "lab") if (ROOT / name).is_dir()
]
PAGES: dict[str, str] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write the pages and enter them in the navigation."""
    packages = [folder for name in PACKAGES for folder in _packages(ROOT / name)]
    PAGES["reference/cli.md"] = "\n".join(_command_line())
    PAGES["reference/settings.md"] = "\n".join(_settings())
    PAGES["reference/protocol.md"] = "\n".join(_protocol())
    PAGES.update({f"reference/{_dotted(folder)}.md": "\n".join(_package(folder)) for folder in packages})
    PAGES["reference/index.md"] = "\n".join(_index(packages))
    decisions = sorted(path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    _fill(config.nav, "Decisions", ["decisions/index.md", *(f"decisions/{name}" for name in decisions)])
    first = ["reference/index.md", "reference/cli.md", "reference/settings.md", "reference/protocol.md"]
    tops = [
        {name: [page for page in PAGES if page.startswith((f"reference/{name}.", f"reference/{name}.md"))]}
        for name in PACKAGES
    ]
    _fill(config.nav, "Reference", [*first, *tops])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for uri, text in PAGES.items():
        files.append(File.generated(config, uri, content=text))
    return files


def _fill(nav: Any, title: str, pages: list[Any]) -> None:
    next(entry for entry in nav if title in entry)[title] = pages


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _packages(folder: Path) -> list[Path]:
    return sorted(file.parent for file in folder.rglob("__init__.py"))


def _modules(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.py") if file.name not in ("__init__.py", "__main__.py"))


def _summary(file: Path) -> str:
    """First line of a module's docstring."""
    line = file.read_text(encoding="utf-8").partition("\n")[0].strip('"').strip()
    return line if not line.startswith(("import", "from")) else ""


def _package(folder: Path) -> Iterator[str]:
    name = _dotted(folder)
    yield from (
        f"# {name}",
        "",
        f"::: {name}",
        "    options:",
        "      members: false",
        "      show_root_heading: false",
    )
    yield "      show_root_toc_entry: false"
    for file in _modules(folder):
        yield from ("", f"::: {_dotted(file)}")


def _index(packages: list[Path]) -> Iterator[str]:
    yield from (
        "# Reference",
        "",
        "Written from the docstrings, the settings and the `.proto` files of this version.",
        "",
    )
    yield "- [Command line](cli.md): every command and its options"
    yield "- [Settings of the services](settings.md): flags and environment variables"
    yield "- [Protocol](protocol.md): the gRPC services and messages, for clients in any language"
    yield from ("", "| package | what it holds |", "|---|---|")
    for folder in packages:
        yield f"| [`{_dotted(folder)}`]({_dotted(folder)}.md) | {_summary(folder / '__init__.py')} |"


def _settings() -> Iterator[str]:
    yield from ("# Settings of the services", "", "Flags of `python -m SERVICE`, and environment variables.")
    for service in SERVICES:
        module = import_module(f"{service}.settings")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and "env_prefix" in getattr(kind, "model_config", {}):
                yield from _settings_of(service, kind)


def _settings_of(service: str, kind: Any) -> Iterator[str]:
    prefix, example = kind.model_config["env_prefix"], list(kind.model_fields)[-1]
    yield from ("", f"## {service}", "", f"The environment variable of a flag is its name after `{prefix}`:")
    yield from (f"`--{example.replace('_', '-')}` is `{prefix}{example.upper()}`.", "")
    yield from ("| flag | default | meaning |", "|---|---|---|")
    for name, field in kind.model_fields.items():
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        yield f"| `--{name.replace('_', '-')}` | {default} | {_cell(field.description or '')} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _protocol() -> Iterator[str]:
    yield from (
        "# Protocol",
        "",
        "The `.proto` files, with their comments. Health and reflection are served beside them.",
    )
    for file in sorted((ROOT / "protos").rglob("*.proto")):
        yield from ("", f"## {file.name}", "", "```protobuf", file.read_text(encoding="utf-8").rstrip(), "```")


def _command_line() -> Iterator[str]:
    yield from ("# Command line", "", "`semlink COMMAND --help` shows the same in the terminal.")
    command = typer.main.get_command(import_module("cli.app").app)
    yield from _command(command, typer.Context(command, info_name="semlink"))


def _command(command: Any, context: typer.Context) -> Iterator[str]:
    name = context.command_path
    yield from ("", f"{'##' if name.count(' ') < 2 else '###'} {name}", "", inspect.cleandoc(command.help or ""))
    options = [parameter for parameter in command.params if getattr(parameter, "help", None)]
    if options:
        yield from ("", "| option | default | meaning |", "|---|---|---|")
    for option in options:
        names = ", ".join(f"`{text}`" for text in (*option.opts, *option.secondary_opts))
        default = "" if option.default in (None, False) or callable(option.default) else f"`{option.default}`"
        yield f"| {names} | {default} | {_cell(option.help)} |"
    for part in getattr(command, "commands", ()):
        _, inner, _ = command.resolve_command(context, [part])  # loads it
        yield from _command(inner, typer.Context(inner, info_name=part, parent=context))
