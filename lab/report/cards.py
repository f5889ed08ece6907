"""Markdown: tables and templates, for model cards and report pages."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_LAB = Path(__file__).parents[1]


def render(template: str, **values: Any) -> str:
    """Fill in a Jinja2 template, a file under `lab`; in it, `rows | table` is `markdown_table`."""
    loader = FileSystemLoader(_LAB)
    environment = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters["table"] = markdown_table
    return environment.get_template(template).render(values)


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as a Markdown table; three digits after the point below 20."""
    header = list(rows[0])
    lines = [header, ["---"] * len(header), *([_cell(row[name]) for name in header] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: float | str) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return ""
    return f"{value:.0f}" if value.is_integer() or value > 20 else f"{value:.3f}"
