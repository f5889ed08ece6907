"""What one would type for what the console did: the command, the line of Python, and the link that replays a burst."""

import json
import math
import shlex
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote

from client import Delivery, SendOptions
from client.connection import TRANSMITTER
from shared.phy import ChannelSettings
from shared.phy.conditions.settings import OF_THE_LINK

_FLAGS: Final = {"pilot_symbols": "pilots", "top_k": "top"}
"""Options of the client that the command line names otherwise."""


def command(name: str, options: Mapping[str, Any], address: str) -> str:
    """The command of the terminal. name: of the picture's file."""
    words = ["semlink", "send", shlex.quote(name)]
    for option, value in options.items():
        if value is None or value is False:
            continue
        flag = f"--{_FLAGS.get(option, option).replace('_', '-')}"
        words += [flag] if value is True else [flag, shlex.quote(_text(value))]
    if address != TRANSMITTER:
        words += ["--transmitter", address]
    return " ".join(words)


def python(name: str, options: Mapping[str, Any], address: str) -> str:
    """The same in Python."""
    given = ", ".join(f"{option}={_literal(value)}" for option, value in options.items() if value is not None)
    where = "" if address == TRANSMITTER else repr(address)
    return f"SemLink({where}).send({name!r}{', ' if given else ''}{given})"


POINT_COLUMNS: Final = ("scheme", "k", "fading", "csi", "framing", "snr_db")
"""What names a point of a table of `semlink evaluate` for its option --only."""


def point_command(reference: Mapping[str, Any], row: Mapping[str, str]) -> str:
    """The command that measures one row of results.csv again. reference: the reference.json beside it."""
    scenario = reference.get("scenario") or "SCENARIO"
    whole = reference.get("command") or f"semlink evaluate {shlex.quote(str(scenario))} --data DATA"
    named = [f"{name}={row[name].removesuffix('.0')}" for name in POINT_COLUMNS if row.get(name)]
    return " ".join([str(whole), *(f"--only {shlex.quote(one)}" for one in named), "--out out/point"])


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _literal(value: Any) -> str:
    return 'float("inf")' if isinstance(value, float) and math.isinf(value) else repr(value)


def replay_options(delivery: Delivery) -> SendOptions:
    """Options with which the same picture meets the same channel again, bit for bit: every one is named."""
    first = delivery.rounds[0] if delivery.rounds else None
    options: dict[str, Any] = {
        "codec": delivery.codec,
        "k": first.k if first else delivery.k,
        "csi": delivery.csi,
        "framing": delivery.framing,
        "stream": delivery.channel.stream,
        "counter": first.counter if first else delivery.channel.counter,
    }
    if delivery.csi == "pilot":
        options |= {"pilot_symbols": delivery.pilot_symbols, "pilot_pattern": delivery.pilot_pattern}
    if first:
        options["ask_for_more"] = True
    return cast(SendOptions, options | _own(delivery.channel.settings))


def permanent(picture: str, options: Mapping[str, Any]) -> str:
    """The address, below that of the console, which sends the same again. picture: its id in the console."""
    defaults = ChannelSettings().model_dump()
    few = {name: value for name, value in options.items() if value is not None and defaults.get(name) != value}
    return f"/?picture={quote(picture)}&replay={quote(json.dumps(few, allow_nan=True))}"


def read_replay(text: str) -> dict[str, Any]:
    """The options of a permanent address. Raises ValueError for what is none."""
    few = json.loads(text)
    if not isinstance(few, dict):
        raise ValueError("replay is no object of options")
    return _own(ChannelSettings()) | few


def _own(settings: ChannelSettings) -> dict[str, Any]:
    """What a picture may ask for itself; the rest is the operator's."""
    return settings.model_dump(exclude={*OF_THE_LINK})
