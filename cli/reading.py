"""How to read sources of pictures and embeddings, as flags of commands."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final, TypeVar

import typer

from cli.console import complain, complain_of
from cli.options import rare
from shared.datasets import Reading

Command = TypeVar("Command", bound=Callable[..., Any])


def _name(text: str, **more: Any) -> Any:
    return rare(text, panel="Names in tables and files of embeddings", **more)


def _reading(
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a shard that is missing or damaged, instead of skipping it.")
    ] = False,
    follow_links: Annotated[
        bool, rare("Read pictures of a folder that are links out of it.", "--follow-links", panel="Options")
    ] = False,
    anywhere: Annotated[
        bool, rare("Read pictures that a table names outside of its folder.", "--anywhere", panel="Options")
    ] = False,
    path_column: Annotated[str | None, _name("Column with the pictures' paths.")] = None,
    label_column: Annotated[str | None, _name("Column with the labels.")] = None,
    caption_column: Annotated[str | None, _name("Column with the captions.")] = None,
    id_column: Annotated[str | None, _name("Column with the ids; else the paths.")] = None,
    embedding_column: Annotated[str | None, _name("Column with the embeddings.")] = None,
    separator: Annotated[str | None, _name("Between columns of a text table; else , ; tab or | as found.")] = None,
    encoding: Annotated[str | None, _name("Of a text table, such as latin-1; else UTF-8.")] = None,
    embeddings_key: Annotated[str | None, _name("Array of embeddings in an .npz.")] = None,
    ids_key: Annotated[str | None, _name("Array of ids in an .npz; else they are numbered.")] = None,
    labels_key: Annotated[str | None, _name("Array of labels in an .npz.")] = None,
    names: Annotated[str | None, _name("Text file with an id a line.", metavar="FILE.txt")] = None,
) -> Reading:
    columns = {
        "path": path_column, "label": label_column, "caption": caption_column, "id": id_column,
        "embedding": embedding_column,
    }  # fmt: skip
    keys = {"embeddings": embeddings_key, "ids": ids_key, "labels": labels_key}
    return Reading(strict, _given(columns), _given(keys), separator, encoding, names, follow_links, anywhere)


_FLAGS: Final = inspect.signature(_reading, eval_str=True).parameters


def takes_reading(command: Command) -> Command:
    """Decorate a command that has a parameter `reading`: it is made from flags, which the command gets instead."""

    @wraps(command)
    def reads(*arguments: Any, **options: Any) -> Any:
        flags = {name: options.pop(name) for name in _FLAGS if name in options}
        return command(*arguments, reading=_reading(**flags), **options)

    inspected: Any = reads
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.name != "reading"]
    inspected.__signature__ = signature.replace(parameters=[*own, *_FLAGS.values()])
    return inspected  # type: ignore[no-any-return]


def complain_of_sources(reading: Reading, *, each: bool = True) -> None:
    """Say on standard error which sources were skipped. each: with the reason of every one."""
    if reading.skipped:
        complain(f"{len(reading.skipped)} sources skipped; --strict stops at the first{':' if each else ''}")
        complain_of([f"  {name}: {why}" for name, why in reading.skipped] if each else [])


def _given(options: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}
