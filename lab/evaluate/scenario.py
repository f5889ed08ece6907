"""What to compare: a grid of schemes, lengths, channels, CSI and SNRs, read from a TOML file."""

import tomllib
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lab.simulate.chain import EQUALIZER, PILOTS, Chain, channel_chain
from shared.codecs.base.contract import DEFAULT_DESIGN_SNR_DB, outage_snr_db
from shared.errors import InvalidSetting, NotFound
from shared.frame.burst import Csi, Framing
from shared.phy import ChannelSettings, EqualizerName, PilotPattern
from shared.printable import first_line
from shared.runtime.config import explain

SHIPPED = Path(__file__).parents[1] / "experiments" / "evaluation"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class Harq(BaseModel):
    """Sending in rounds. certainty: see `transmitter.harq.required_posterior`. start: k of the first round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certainty: float = Field(gt=0, le=1)
    start: int = Field(8, ge=2)


class SchemeSpec(BaseModel):
    """One scheme of the comparison.

    name: what its rows are called; made of codec and harq by default. codec: a codec's name, a scheme of
    `lab.evaluate.schemes`, or `FILE.py:Class` of your own; the name by default. k: lengths, each a row of its own, with
    harq the most that is sent. decision: how a codec's receiver chooses an item: the `nearest`, by `vote` of the twenty
    nearest, by `fusion` with the codec's categories. harq: send in rounds. channels: names of those that it is sent
    over; all of them by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    codec: str = ""
    k: tuple[Annotated[int, Field(ge=2, le=1 << 16)], ...] = Field(min_length=1)
    decision: Literal["nearest", "vote", "fusion"] = "nearest"
    harq: Harq | None = None
    channels: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """Name and codec, where one of them follows from the other."""
        if not isinstance(given, dict):
            return given
        given = {"codec" if name == "scheme" else name: value for name, value in given.items()}  # as it was called
        codec = given.get("codec") or given.get("name")
        if not codec:
            raise ValueError("neither a name nor a codec: say what is sent")
        harq = given.get("harq")
        return {"name": f"{codec}, {_label(Harq.model_validate(harq))}" if harq else codec, "codec": codec} | given

    @model_validator(mode="after")
    def _fused(self) -> Self:
        if self.harq is not None and self.decision != "fusion":
            raise ValueError(f"harq with decision {self.decision!r}: its receiver asks by category, so choose 'fusion'")
        return self


def _label(harq: Harq) -> str:
    """For names of rows."""
    return f"HARQ {harq.certainty:g} from k = {harq.start}"


class ChannelSpec(BaseModel):
    """One kind of channel.

    name: for schemes that are sent over some channels only. settings: fields of `ChannelSettings` but `snr_db` and
    `seed`. csi: what the receiver knows, each a row of its own. pilot_symbols, pilot_pattern: with csi pilot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    csi: Annotated[tuple[Csi, ...], BeforeValidator(_listed)] = ("pilot",)
    pilot_symbols: int = Field(PILOTS, ge=2, le=1024)
    pilot_pattern: PilotPattern = "preamble"
    settings: dict[str, Any] = {}


class Point(BaseModel):
    """One row to be: a scheme of one length over one channel.

    pilots: of each burst, 0 unless csi is pilot. framing: how the receiver learns what a burst is. sender_snr: whether
    the sender designs for the average SNR, or for the codec's default. seeds: of the channel, one pass over the queries
    each. queries: how many at most, 0 for all. stop_errors: end after so many wrong answers, 0 for never.
    """

    model_config = ConfigDict(frozen=True)

    scheme: SchemeSpec
    k: int
    channel: ChannelSettings
    csi: Csi
    pilots: int
    pilot_pattern: PilotPattern
    framing: Framing
    equalizer: EqualizerName
    sender_snr: bool
    seeds: tuple[int, ...]
    queries: int
    stop_errors: int

    @property
    def snr_db(self) -> float:
        """Average Es/N0, dB."""
        return self.channel.snr_db

    def chain(self, seed: int) -> Chain:
        """The chain that the bursts of one pass go through."""
        return channel_chain(
            self.channel.updated(seed=seed),
            csi=self.csi,
            pilots=self.pilots,
            pilot_pattern=self.pilot_pattern,
            equalizer=self.equalizer,
            framing=self.framing,
            header_snr_db=self._header_snr_db,
        )

    @property
    def _header_snr_db(self) -> float:
        """The SNR that headers are designed for, as payloads are."""
        if self.sender_snr:
            return outage_snr_db(self.snr_db, self.channel.fading)
        return DEFAULT_DESIGN_SNR_DB


class Scenario(BaseModel):
    """A whole comparison. Fields as in `SchemeSpec`, `ChannelSpec` and `Point`. name: of its file.

    framing: one, or several, each for all schemes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    title: str
    snr_db: tuple[float, ...] = Field(min_length=1)
    scheme: tuple[SchemeSpec, ...] = Field(min_length=1)
    channel: tuple[ChannelSpec, ...] = Field(min_length=1)
    framing: Annotated[tuple[Framing, ...], BeforeValidator(_listed), Field(min_length=1)] = ("implicit",)
    equalizer: EqualizerName = EQUALIZER
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
                pilot_pattern=channel.pilot_pattern,
                framing=framing,
                **shared,
            )
            for framing, scheme, channel in product(self.framing, self.scheme, self.channel)
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidSetting(f"{path} is no TOML: {first_line(error)}") from error
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
