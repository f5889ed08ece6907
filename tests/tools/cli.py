"""The command line as tests use it: as a process of its own, or in this process."""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.app import app, main

SCHEMAS = Path("docs/schemas")


def semlink(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does; what it prints is read as UTF-8. options: of `subprocess.run`."""
    command = [sys.executable, "-m", "cli.app", *map(str, arguments)]
    options = {"encoding": "utf-8"} | options
    return subprocess.run(command, capture_output=True, check=False, **({"timeout": 120} | options))


def called(
    *arguments: str | Path, encoding: str = "utf-8", env: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Like `semlink`, by a call of its `main` in this process, which saves the start of one.

    encoding: of standard output and standard error, as of a terminal. env: variables beside those that there are.
    """
    output, errors = (io.TextIOWrapper(io.BytesIO(), encoding, errors="semlink") for _ in range(2))
    status = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["semlink", *map(str, arguments)])
        for name, value in {"GRPC_VERBOSITY": "NONE", **env}.items():
            patch.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
    for stream in (output, errors):
        stream.seek(0)
    return subprocess.CompletedProcess(arguments, status, output.read(), errors.read())


def invoke(*arguments: object, columns: int = 80) -> Result:
    """Run the command in this process, which may hold torch already; an error of SemLink is its `exception`."""
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": str(columns)}, prog_name="semlink")


def printed(*arguments: object) -> Any:
    """What a command prints in this process with --json: one strict JSON document."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return as_documented(json.loads(result.stdout, parse_constant=pytest.fail), *arguments)


def as_documented(document: Any, *arguments: object) -> Any:
    """The document, after a check against the schema in docs/schemas of the command that these arguments begin with."""
    for words in (2, 1):
        file = SCHEMAS / f"{'-'.join(map(str, arguments[:words]))}.json"
        if "/" not in str(arguments[words - 1 : words]) and file.is_file():
            jsonschema.validate(document, _closed(json.loads(file.read_text(encoding="utf-8"))))
    return document


def _closed(schema: Any) -> Any:
    """The schema where no object has keys beside those that it names: what is printed is documented."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    return {"additionalProperties": False} | closed if isinstance(schema.get("properties"), dict) else closed
