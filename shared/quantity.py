"""Numbers as people write them: `5dB`, `20 kHz`, `3 ms`, `10%`. A setting's name ends in its unit."""

import re
from typing import Final

_SECONDS: Final = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0}
_UNITS: Final[dict[str, dict[str, float]]] = {
    "_db": {"db": 1.0},
    "_hz": {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9},
    "_seconds": _SECONDS,
    "_deg": {"deg": 1.0, "degrees": 1.0, "°": 1.0},
    "_probability": {"%": 1e-2},
}
_SHOWN: Final = {"_db": "dB", "_hz": "Hz", "_seconds": "s", "_deg": "deg", "_probability": "%"}
_OF_ONE_WORD: Final = {"seconds": "_seconds", "timeout": "_seconds", "interval": "_seconds"}
_NUMBER: Final = re.compile(r"([+-]?(?:inf(?:inity)?|\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*([a-zµ%°]+)", re.IGNORECASE)


def unit_of(name: str) -> str | None:
    """The suffix that names the unit of a setting, such as `_db` of `snr_db`; None for one without a unit."""
    return _OF_ONE_WORD.get(name) or next((unit for unit in _UNITS if name.endswith(unit)), None)


def form_of(name: str) -> str:
    """How a number of the setting `name` may be written, for an error: "5 or 5dB"."""
    suffix = unit_of(name)
    return "5" if suffix is None else f"5 or 5{_SHOWN[suffix]}"


def without_unit(name: str, text: str) -> str:
    """The number of `text` in the unit of the setting `name`, without that unit; other text as it is.

    name: of the setting, such as snr_db. Raises ValueError for a number with a unit that does not fit.
    """
    suffix, found = unit_of(name), _NUMBER.fullmatch(text.strip().replace("\N{MINUS SIGN}", "-"))
    if suffix is None or found is None:
        return text.strip()
    number, unit = found.groups()
    factors = _UNITS[suffix]
    if unit.lower() not in factors:
        unit = _SHOWN[suffix]
        raise ValueError(f"{text!r}: {name} is in {unit}; write {number} or {number}{unit}")
    factor = factors[unit.lower()]
    return number if factor == 1.0 else repr(float(f"{float(number) * factor:.15g}"))
