"""The controls of a transmission, with the names and ranges of the command line, and the options that they make."""

import math
from typing import Any, Final, cast, get_args

from nicegui import ui

from client import ChannelSettings, SendOptions
from console.link import Link
from console.parts import labelled, tagged
from shared.frame.burst import Csi, Framing
from shared.phy.conditions.settings import FadingName

DEFAULT: Final = "default"
NO_NOISE_DB: Final = 41
"""Right end of the SNR's slider."""
_HELP: Final = {
    "codec": "codec: how meaning or picture becomes symbols; default: the transmitter's own",
    "k": "k: real dimensions; k/2 complex symbols go out. With HARQ: of the first round",
    "csi": "CSI: what the receiver knows of the channel; perfect is a genie",
    "pilots": "pilot symbols, 2 to 1024",
    "framing": "how the receiver learns what a burst is: implicit, explicit (a header), ideal (a genie)",
    "harq": "HARQ: begin with few symbols, send more while the receiver asks; codec nested",
    "seed": "seed of every random draw; with stream and counter the same noise again",
}


class Controls:
    """Widgets of one page. `options` is what they say."""

    def __init__(self, link: Link) -> None:
        self._link = link
        with ui.row().classes("w-full gap-4 items-center"):
            self.codec = _select("codec", [DEFAULT], DEFAULT)
            self.k = _select("k", [DEFAULT], DEFAULT)
            self.fading = _select("fading", list(get_args(FadingName)), "none", _described("fading"))
            self.csi = _select("csi", [DEFAULT, *get_args(Csi)], DEFAULT)
        with ui.row().classes("w-full"):
            self.snr = snr_slider("snr", 10, NO_NOISE_DB)
        with ui.expansion("Pilots, framing, HARQ, random draw").classes("w-full"), ui.row().classes("gap-4"):
            self.pilots = _number("pilots", 2, 1024, _HELP["pilots"])
            self.framing = _select("framing", [DEFAULT, *get_args(Framing)], DEFAULT)
            self.harq = ui.switch("HARQ (--ask-for-more)").props("data-testid=harq").tooltip(_HELP["harq"])
            self.seed = _number("seed", 0, 2**53, _HELP["seed"])
            self.stream = _number("stream", 0, 2**32 - 1, _HELP["seed"])
            self.counter = _number("counter", 0, 2**53, _HELP["seed"])
        self.codec.on_value_change(self._offer_lengths)
        self.refresh()

    def refresh(self) -> None:
        """Offer what the transmitter has."""
        if self._link.info is None:
            return
        names = list(dict.fromkeys(spec.codec for spec in self._link.info.codecs))
        self.codec.set_options([DEFAULT, *names])
        self._offer_lengths()

    def _offer_lengths(self) -> None:
        lengths = [] if self._link.info is None else self._lengths(str(self.codec.value))
        kept = self.k.value if self.k.value in lengths else DEFAULT
        self.k.set_options([DEFAULT, *lengths], value=kept)

    def _lengths(self, codec: str) -> list[int]:
        assert self._link.info is not None
        name = self._link.info.default_codec.codec if codec == DEFAULT else codec
        return sorted(spec.k for spec in self._link.info.codecs if spec.codec == name)

    @property
    def options(self) -> SendOptions:
        """What is set; what is left at its default is not named."""
        snr_db = math.inf if self.snr.value >= NO_NOISE_DB else float(self.snr.value)
        given: dict[str, Any] = {
            "codec": self.codec.value,
            "k": self.k.value,
            "snr_db": snr_db,
            "fading": self.fading.value,
            "csi": self.csi.value,
            "pilot_symbols": _whole(self.pilots.value),
            "framing": self.framing.value,
            "ask_for_more": self.harq.value or None,
            "seed": _whole(self.seed.value),
            "stream": _whole(self.stream.value),
            "counter": _whole(self.counter.value),
        }
        named = {name: value for name, value in given.items() if value is not None and value != DEFAULT}
        return cast(SendOptions, named)


def snr_slider(name: str, value: float, most: float, text: str = "SNR") -> ui.slider:
    """A slider of an SNR in dB with its label and its value; at `NO_NOISE_DB` it stands for no noise."""
    with ui.row().classes("field-wide items-center no-wrap gap-4"):
        ui.label(text).classes("shrink-0").tooltip(_described("snr_db"))
        slider = ui.slider(min=-10, max=most, step=0.5, value=value).classes("grow")
        ui.label().bind_text_from(slider, "value", _snr_text).classes("w-16 text-right shrink-0")
    return labelled(tagged(slider, name), f"{text} in dB")


def _select(name: str, offered: list[Any], value: Any, hint: str = "") -> ui.select:
    chosen = ui.select(offered, value=value, label=name).props(f"data-testid={name}").classes("field")
    return chosen.tooltip(hint or _HELP[name])


def _number(name: str, least: int, most: int, hint: str) -> ui.number:
    return (
        ui.number(name, min=least, max=most, precision=0)
        .props(f"data-testid={name}")
        .classes("w-28")
        .tooltip(hint)
        .props("clearable")
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _described(setting: str) -> str:
    return str(ChannelSettings.model_fields[setting].description)


def _snr_text(value: float) -> str:
    return "no noise" if value >= NO_NOISE_DB else f"{value:g} dB"
