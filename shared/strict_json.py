"""Strict JSON, which knows neither infinity nor NaN."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def finite(value: float | None) -> float | None:
    """The value as JSON can say it: null for an infinity or NaN."""
    return value if value is not None and math.isfinite(value) else None


def strict_json(value: Any) -> Any:
    """The value for JSON: an object for a mapping, dataclass, named tuple or model; null for an infinity or NaN."""
    if isinstance(value, float):
        return finite(value)
    if is_dataclass(value):
        return {field.name: strict_json(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return strict_json(value._asdict())
    if isinstance(value, Mapping) or hasattr(value, "model_dump"):  # without pydantic, which would slow down help
        return {name: strict_json(part) for name, part in dict(value).items()}
    return [strict_json(part) for part in value] if isinstance(value, list | tuple) else value
