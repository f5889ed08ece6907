"""What to compare: a grid of schemes, lengths, channels, CSI and SNRs, read from a TOML file."""

import tomllib
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shared.errors import InvalidSetting, NotFound
from shared.frame.burst import Csi
from shared.phy import ChannelSettings, EqualizerName
from shared.runtime.config import explain

SHIPPED = Path(__file__).parents[1] / "experiments" / "evaluation"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class SchemeSpec(BaseModel):
    """One scheme of the comparison.

    name: what its rows are called. scheme: as in `lab.evaluate.schemes`, a codec's name, or `FILE.py:Class` of your
    own; the name by default. k: lengths, each a row of its own. decision: how a codec's receiver chooses an item: the
    `nearest`, by `vote` of the twenty nearest, by `fusion` with the codec's categories. channels: names of those that
    it is sent over; all of them by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    scheme: str = ""
    k: tuple[Annotated[int, Field(ge=2, le=1 << 16)], ...] = Field(min_length=1)
    decision: Literal["nearest", "vote", "fusion"] = "nearest"
    channels: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where the scheme itself is found."""
        return self.scheme or self.name


class ChannelSpec(BaseModel):
    """One kind of channel.

    name: for schemes that are sent over some channels only. settings: fields of `ChannelSettings` but `snr_db` and
    `seed`. csi: what the receiver knows, each a row of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    csi: Annotated[tuple[Csi, ...], BeforeValidator(_listed)] = ("pilot",)
    pilot_symbols: int = Field(8, ge=2, le=1024)
    settings: dict[str, Any] = {}


class Point(BaseModel):
    """One row to be: a scheme of one length over one channel.

    pilots: symbols in front of the payload, 0 unless csi is pilot. sender_snr: whether the sender is told the average
    SNR. seeds: of the channel, one pass over the queries each. queries: how many at most, 0 for all. stop_errors: end
    after so many wrong answers, 0 for never.
    """

    model_config = ConfigDict(frozen=True)

    scheme: SchemeSpec
    k: int
    channel: ChannelSettings
    csi: Csi
    pilots: int
    equalizer: EqualizerName
    sender_snr: bool
    seeds: tuple[int, ...]
    queries: int
    stop_errors: int

    @property
    def snr_db(self) -> float:
        """Average Es/N0, dB."""
        return self.channel.snr_db


class Scenario(BaseModel):
    """A whole comparison. Fields as in `SchemeSpec`, `ChannelSpec` and `Point`. name: of its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    title: str
    snr_db: tuple[float, ...] = Field(min_length=1)
    scheme: tuple[SchemeSpec, ...] = Field(min_length=1)
    channel: tuple[ChannelSpec, ...] = Field(min_length=1)
    equalizer: EqualizerName = "zf"
    sender_snr: bool = True
    seeds: tuple[Annotated[int, Field(ge=0, lt=1 << 64)], ...] = Field((1,), min_length=1)
    queries: int = Field(0, ge=0)
    stop_errors: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known = {channel.name for channel in self.channel}
        for scheme in self.scheme:
            if unknown := set(scheme.channels) - known:
                raise ValueError(f"scheme {scheme.name!r} names the channel {min(unknown)!r}, and there is none")
        names = [scheme.name for scheme in self.scheme]
        if len(set(names)) != len(names):
            raise ValueError(f"two schemes are called {max(names, key=names.count)!r}: give each a name of its own")
        return self

    def points(self) -> list[Point]:
        """Every row to be, in the order of the file."""
        shared = self.model_dump(include={"equalizer", "sender_snr", "seeds", "queries", "stop_errors"})
        return [
            Point(
                scheme=scheme,
                k=k,
                channel=ChannelSettings().updated(**channel.settings, snr_db=snr_db),
                csi=csi,
                pilots=channel.pilot_symbols if csi == "pilot" else 0,
                **shared,
            )
            for scheme, channel in product(self.scheme, self.channel)
            if not scheme.channels or channel.name in scheme.channels
            for k, csi, snr_db in product(scheme.k, channel.csi, self.snr_db)
        ]


def load_scenario(name: str | Path) -> Scenario:
    """Read a scenario: the path of a TOML file, or the name of one that ships with SemLink.

    Raises NotFound where there is none, InvalidSetting naming each wrong field.
    """
    path = _find(name)
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        scenario = Scenario.model_validate({"name": path.stem} | given)
        scenario.points()  # settings of the channel are checked there
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting(f"{path} is no TOML: {error}") from error
    except ValidationError as error:
        raise InvalidSetting(f"{path}: {explain(error)}") from error
    except InvalidSetting as error:
        raise InvalidSetting(f"{path}: {error}") from error
    return scenario


def _find(name: str | Path) -> Path:
    for path in (Path(name), SHIPPED / f"{name}.toml"):
        if path.is_file():
            return path
    shipped = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
    raise NotFound(f"there is no scenario {str(name)!r}; give a TOML file, or one of {shipped}")
