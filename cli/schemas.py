"""JSON Schemas of what commands print; `python -m tests.tools.write_json_schemas` makes docs/schemas of them."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from cli.documents import DOCUMENTS


class _AsPrinted(GenerateJsonSchema):
    """Schemas of strict JSON: a named tuple is an object, and a number may be null."""

    def named_tuple_schema(self, schema: Any) -> Any:
        properties = {field["name"]: self.generate_inner(field["schema"]) for field in schema["fields"]}
        return {"type": "object", "properties": properties, "required": list(properties)}

    def float_schema(self, schema: Any) -> Any:  # noqa: ARG002 - ranges do not hold for what is null
        return {"type": ["number", "null"]}


def schema_of(command: str) -> dict[str, Any]:
    """The JSON Schema of what a command prints with --json."""
    schema = TypeAdapter(DOCUMENTS[command]).json_schema(mode="serialization", schema_generator=_AsPrinted)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"semlink {command} --json"}
    found: dict[str, Any] = head | _without_defaults(schema) | head
    return found


def _without_defaults(schema: Any) -> Any:
    """The schema without values that an input would take; some of them are no JSON."""
    if isinstance(schema, list):
        return [_without_defaults(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _without_defaults(part) for name, part in schema.items() if name != "default"}
