"""Every command that prints JSON has a schema in docs/schemas, made from the types in `cli.documents`.

`tests.tools.cli.printed` checks what commands print against it, in all tests.
"""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import typer

from cli.app import app
from cli.documents import DOCUMENTS
from cli.schemas import schema_of
from tests.fakes.transmitter import FakeTransmitter, serve
from tests.tools.cli import printed
from tests.tools.write_json_schemas import FOLDER, file_of, text


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command by its words, loaded."""
    context = group.make_context("semlink", [], resilient_parsing=True)
    for name in group.commands:
        _, command, _ = group.resolve_command(context, [name])
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


def test_every_command_with_json_has_a_schema() -> None:
    with_json = {
        name
        for name, command in commands(typer.main.get_command(app))
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert with_json == set(DOCUMENTS)


@pytest.mark.parametrize("command", DOCUMENTS)
def test_the_published_schema_is_that_of_the_types(command: str) -> None:
    assert file_of(command).read_text(encoding="utf-8") == text(command), "run python -m tests.tools.write_json_schemas"
    jsonschema.Draft202012Validator.check_schema(schema_of(command))


def test_no_schema_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {file_of(command).name for command in DOCUMENTS}


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    picture = tmp_path_factory.mktemp("sent") / "cat.png"
    picture.write_bytes(b"cat")
    with serve(FakeTransmitter()) as address:
        found: dict[str, Any] = printed("send", picture, "--transmitter", address)
    return found


@pytest.mark.parametrize("change", [{"burst": 1}, {"k": "64"}, {"top": [{}]}, {"channel": {"burst": 1}}])
def test_the_schema_of_send_refuses_what_is_not_printed(delivered: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(delivered | change, schema_of("send"))
