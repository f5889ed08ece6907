"""`python -m tests.tools.write_json_schemas`: writes docs/schemas, a JSON Schema for each command's --json."""

import json
from pathlib import Path

from cli.documents import DOCUMENTS
from cli.schemas import schema_of

FOLDER = Path("docs/schemas")


def file_of(command: str) -> Path:
    """Where the schema of a command lies."""
    return FOLDER / f"{command.replace(' ', '-')}.json"


def text(command: str) -> str:
    """The file's content."""
    return json.dumps(schema_of(command), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in DOCUMENTS:
        file_of(each).write_text(text(each), encoding="utf-8")
