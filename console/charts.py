"""ECharts options of what is drawn; no browser is needed to make them."""

import math
from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np

from client import Trace
from shared.phy.conditions.schedule import Schedule
from shared.types import Complex

RIGHT, WRONG = "#15955a", "#d92d3a"
_INTERVAL: Final = {"type": "dashed", "width": 1}
"""How the ends of an interval are drawn, in the colour of what lies in it."""
COLOURS: Final = (
    "#1e3a8a", "#2563eb", "#60a5fa", "#0f766e", "#2dd4bf", "#a3b18a", "#e9c46a", "#f4a261", "#e76f51", "#9d4edd",
    "#c77dff", "#6d6875", "#b5838d", "#8d99ae",
)  # fmt: skip
GREY: Final = "#8b95a5"  # readable on white and on black
_NAME: Final = {"color": GREY}
_AT_THE_END: Final = {"onZero": False}
_INNER: Final = {"color": GREY, "showMinLabel": False, "showMaxLabel": False}
"""Labels of an axis whose ends are no round numbers."""
_MOST_POINTS: Final = 600
_NO_SYMBOLS: Final = np.zeros(0, np.complex64)


def constellation(trace: Trace | None) -> dict[str, Any]:
    """Symbols sent, received and equalized in the complex plane, at most 600 of each; an empty plane for None."""
    trace = trace or Trace(_NO_SYMBOLS, _NO_SYMBOLS, _NO_SYMBOLS)
    kinds = (("received", trace.received, "#f4a261"), ("equalized", trace.equalized, "#2563eb"))
    series = [_points(name, symbols, colour, 5) for name, symbols, colour in kinds]
    series.append(_points("sent", trace.sent, "#15955a", 7) | {"symbol": "diamond"})
    reach = max((abs(value) for one in series for point in one["data"] for value in point), default=1.0)
    axis = {
        "type": "value", "min": -_rounded(reach), "max": _rounded(reach), "axisLabel": _INNER,
        "splitLine": {"lineStyle": {"opacity": 0.25}},
    }  # fmt: skip
    return {
        "animation": False,
        "tooltip": {"formatter": "{a}: {c}"},
        "legend": {"bottom": 0, "textStyle": {"color": GREY}},
        "grid": {"left": 40, "right": 20, "top": 25, "bottom": 55},
        "xAxis": axis | {"name": "I", "nameTextStyle": _NAME},
        "yAxis": axis | {"name": "Q", "nameTextStyle": _NAME},
        "series": series,
    }


def _points(name: str, symbols: Complex, colour: str, size: int) -> dict[str, Any]:
    pairs = [[round(float(one.real), 4), round(float(one.imag), 4)] for one in symbols[:_MOST_POINTS]]
    return {"type": "scatter", "name": name, "symbolSize": size, "data": pairs, "itemStyle": {"color": colour}}


def _rounded(reach: float) -> float:
    """A limit of an axis, a little above what is drawn."""
    return round(1.05 * reach + 0.05, 1)


def lines(names: Sequence[str], unit: str, *, minimum: float | None = None, maximum: float | None = None) -> Any:
    """Curves over time, still empty: each point is [seconds, value]."""
    return {
        "animation": False,
        "tooltip": {"trigger": "axis"},
        "legend": {"bottom": 0, "textStyle": {"color": GREY}},
        "grid": {"left": 50, "right": 15, "top": 30, "bottom": 50},
        "xAxis": {"type": "value", "nameTextStyle": _NAME, "axisLine": _AT_THE_END, "min": "dataMin", "max": "dataMax",
                  "axisLabel": _INNER,
                  "splitLine": {"lineStyle": {"opacity": 0.15}}},
        "yAxis": {"type": "value", "name": unit, "nameTextStyle": _NAME, "axisLine": _AT_THE_END, "scale": True,
                  "min": minimum, "max": maximum,
                  "axisLabel": {"color": GREY}, "splitLine": {"lineStyle": {"opacity": 0.25}}},
        "series": [
            {"type": "line", "name": name, "showSymbol": False, "data": [], "color": COLOURS[1 + 3 * place]}
            | ({"color": COLOURS[2], "lineStyle": _INTERVAL} if name in {"lower", "upper"} else {})
            for place, name in enumerate(names)
        ],
    }  # fmt: skip


_STEPS: Final = 400


def timeline(schedule: Schedule, seconds: float) -> dict[str, Any]:
    """The SNR that a schedule asks for over one round of it, and a cursor where it stands. seconds: since its start."""
    course = schedule.timeline()
    length = schedule.repeat_seconds or max((one.seconds + one.ramp_seconds for one in schedule.changes), default=0.0)
    length = length or 1.0
    base = schedule.base().snr_db
    places = [length * step / _STEPS for step in range(_STEPS)]
    values = [course.at(at).get("snr_db", base) for at in places]
    at = seconds % length if schedule.repeat_seconds else min(seconds, length)
    chart = lines(["SNR asked"], "dB")
    points = zip(places, values, strict=True)
    chart["series"][0]["data"] = [[round(x, 3), round(y, 3)] for x, y in points if math.isfinite(y)]
    chart["series"][0] |= {"step": "end", "markLine": {
        "symbol": "none", "animation": False, "label": {"formatter": f"{seconds:.1f} s", "color": GREY},
        "lineStyle": {"color": WRONG, "type": "solid", "width": 2}, "data": [{"xAxis": round(at, 3)}],
    }}  # fmt: skip
    chart["xAxis"] |= {"min": 0, "max": length, "name": "s"}
    return cast(dict[str, Any], chart)
