r"""Settings in force at each time.

changes, in order of time ---> one track for each setting that changes ---> at(seconds) ---> settings in force

a track of snr_db:   20 |-------\            |------   steps, and ramps from the value in force
                      5 |        \-----------|
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final, NamedTuple

from shared.errors import InvalidSetting
from shared.phy.conditions.settings import ChannelSettings

_start: Final = attrgetter("start")
_RAMPED: Final = frozenset(name for name, field in ChannelSettings.model_fields.items() if field.annotation is float)


@dataclass(frozen=True, slots=True)
class Change:
    """Settings that come into force.

    seconds: from the start, 0 or more. settings: fields of ChannelSettings. ramp_seconds: floating-point settings ramp
    linearly from the value in force over so many seconds; counts, choices and switches change at once.
    Raises InvalidSetting for a time that is negative or not finite.
    """

    seconds: float
    settings: Mapping[str, Any]
    ramp_seconds: float = 0.0

    def __post_init__(self) -> None:
        for name in ("seconds", "ramp_seconds"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InvalidSetting(f"{name} = {value} of a change: give a time of 0 or more")


class _Move(NamedTuple):
    """Course of one setting from `start` until its next move."""

    start: float
    ramp: float
    before: Any
    after: Any

    def value(self, seconds: float) -> Any:
        """The setting at `seconds`, clipped to the range between both ends in spite of rounding."""
        elapsed = seconds - self.start
        if elapsed >= self.ramp:
            return self.after
        value = self.before + (self.after - self.before) * (elapsed / self.ramp)
        return min(max(value, min(self.before, self.after)), max(self.before, self.after))


class Timeline:
    """Changes on top of base settings. Pure: the same time gives the same settings."""

    def __init__(
        self,
        base: ChannelSettings,
        changes: Sequence[Change],
        repeat_seconds: float = 0.0,
        names: Sequence[str] = (),
    ) -> None:
        """Apply `changes` on top of `base`.

        changes: in order of time. repeat_seconds: period of repetition; 0 for none. names: of the changes, for errors;
        place and time by default.
        Raises InvalidSetting, naming the change, for settings that are invalid, alone or with those in force, for a
        ramp from or to infinity, and for changes that are out of order or after the end.
        """
        _check_order(changes, repeat_seconds)
        self._base = base
        self._repeat_seconds = repeat_seconds
        self._tracks: dict[str, list[_Move]] = {}
        names = names or [f"change {place} at {change.seconds:g} s" for place, change in enumerate(changes, 1)]
        for name, change in zip(names, changes, strict=True):
            try:
                self._add(change)
            except InvalidSetting as error:
                raise InvalidSetting(f"{name}: {error}") from error

    def at(self, seconds: float) -> dict[str, Any]:
        """Settings that the changes have set by `seconds`, 0 or more; empty before the first change."""
        return self._in_force(math.fmod(seconds, self._repeat_seconds) if self._repeat_seconds else seconds)

    def _add(self, change: Change) -> None:
        now = self._in_force(change.seconds)
        after = self._base.updated(**self._in_force(math.inf) | dict(change.settings))
        for name in change.settings:
            before = now.get(name, getattr(self._base, name))
            ramp_seconds = change.ramp_seconds if name in _RAMPED else 0.0
            move = _Move(change.seconds, ramp_seconds, before, getattr(after, name))
            self._tracks.setdefault(name, []).append(_checked(name, move))
        if (under_way := self._in_force(change.seconds)) != self._in_force(math.inf):
            self._base.updated(**under_way)  # values inside ramps must be valid too

    def _in_force(self, seconds: float) -> dict[str, Any]:
        past = {name: bisect_right(track, seconds, key=_start) for name, track in self._tracks.items()}
        return {name: self._tracks[name][moves - 1].value(seconds) for name, moves in past.items() if moves}


def _checked(name: str, move: _Move) -> _Move:
    if move.ramp and not (math.isfinite(move.before) and math.isfinite(move.after)):
        raise InvalidSetting(
            f"{name} moves from {move.before:g} to {move.after:g} in {move.ramp:g} s: a ramp needs two finite ends; "
            "change it at once, or set a finite value before"
        )
    return move


def _check_order(changes: Sequence[Change], repeat_seconds: float) -> None:
    if not 0 <= repeat_seconds < math.inf:
        raise InvalidSetting(f"repeat_seconds = {repeat_seconds}: give 0 for never, or the seconds of one round")
    for one, two in pairwise(changes):
        if two.seconds < one.seconds:
            raise InvalidSetting(f"a change at {two.seconds:g} s after one at {one.seconds:g} s: sort them by time")
    if repeat_seconds and changes and changes[-1].seconds >= repeat_seconds:
        raise InvalidSetting(
            f"a change at {changes[-1].seconds:g} s with repeat_seconds = {repeat_seconds:g}: it would never happen"
        )
