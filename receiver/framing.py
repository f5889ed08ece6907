"""What a burst is: from what the receiver was told before, from its place in time, or from its header.

heard burst --ideal----------------------------------------------> burst     told by a genie
            --implicit: configuration, and its place in it-------> burst
            --explicit: configuration, and the header's bits-----> burst     or `Lost`
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Final

import numpy as np

from receiver.decoder import check_csi, estimate
from shared.errors import InvalidInput, InvalidSymbols, Lost, Mismatch, SemLinkError, Unconfigured
from shared.frame.burst import AcceptedFraming, Burst, Framing, LinkConfiguration
from shared.frame.header import PHASE_TURNS, Header, decode_headers, header_fits, session_of
from shared.types import Complex

_MOST: Final = 4096
"""Configurations held; beyond it the oldest one is dropped, and its sender configures the link anew."""
_LOST_HEADER: Final = "the burst's header was lost: its CRC fails; send it again, or by a lower --design-snr-db"


class Deframer:
    """Holds the configurations of one receiver. accepted: the framing that bursts must have."""

    def __init__(self, accepted: AcceptedFraming = "any") -> None:
        self._accepted = accepted
        self._held: OrderedDict[int, LinkConfiguration] = OrderedDict()

    def hold(self, configuration: LinkConfiguration) -> None:
        """Keep a configuration. Raises Mismatch for a framing that this receiver does not accept."""
        self._check(configuration.framing)
        self._held[configuration.version] = configuration
        if len(self._held) > _MOST:
            self._held.popitem(last=False)

    def read(self, burst: Burst) -> Burst:
        """A burst as heard, with all that it is.

        Raises Unconfigured for one whose configuration is not held, Mismatch for a framing that is not accepted,
        InvalidInput for a round that its configuration does not have.
        """
        (found,) = self.read_many([burst])
        if isinstance(found, Exception):
            raise found
        return found

    def read_many(self, bursts: Sequence[Burst]) -> list[Burst | Exception]:
        """The same of several; one that cannot be read has its error. Headers are decoded together."""
        found: dict[int, Burst | Exception] = {}
        headed: dict[Hashable, list[int]] = {}
        for row, burst in enumerate(bursts):
            try:
                found[row] = self._told(burst)
            except SemLinkError as error:
                found[row] = error
            else:
                if burst.framing == "explicit":
                    headed.setdefault((burst.configuration, burst.symbols.size, burst.grid), []).append(row)
        for rows in headed.values():
            configuration = self._configuration(bursts[rows[0]])
            found |= zip(rows, _by_headers([bursts[row] for row in rows], configuration), strict=True)
        return [found[row] for row in range(len(bursts))]

    def _told(self, burst: Burst) -> Burst:
        """The burst with all that the receiver knows of it without its header."""
        self._check(burst.framing)
        if burst.framing == "ideal":
            return burst
        configuration = self._configuration(burst)
        return burst if burst.framing == "explicit" else _in_its_place(burst, configuration)

    def _configuration(self, burst: Burst) -> LinkConfiguration:
        configuration = self._held.get(burst.configuration)
        if configuration is None or configuration.framing != burst.framing:
            raise Unconfigured(
                f"no configuration {burst.configuration} of framing {burst.framing} is held here: configure the link, "
                "and send the burst again"
            )
        return configuration

    def _check(self, framing: Framing) -> None:
        if self._accepted not in ("any", framing):
            raise Mismatch(
                f"framing {framing}, and this receiver accepts {self._accepted} only: send with --framing "
                f"{self._accepted}, or start the receiver with --framing any"
            )


def _in_its_place(burst: Burst, configuration: LinkConfiguration) -> Burst:
    """A burst without a header: its place in time is that of one round of its configuration."""
    if configuration.questions:
        return _described(burst, configuration, 0)
    if burst.round >= len(configuration.codecs):
        raise InvalidInput(
            f"round {burst.round} of configuration {configuration.version}, which has {len(configuration.codecs)}"
        )
    return _described(burst, configuration, burst.round)


def _described(burst: Burst, configuration: LinkConfiguration, number: int) -> Burst:
    """The burst of one round."""
    earlier = configuration.codecs[number - 1].k // 2 if number else 0
    return replace(
        burst,
        **_lay_out(configuration),
        codec=configuration.codecs[number],
        top_k=configuration.top_k,
        trace=configuration.trace,
        offset_symbols=earlier,
        required_posterior=configuration.required_posteriors[number],
    )


def _lay_out(configuration: LinkConfiguration) -> dict[str, Any]:
    """Fields of its bursts: where their pilots are, and their question."""
    names = ("csi", "pilot_symbols", "pilot_pattern", "question_symbols")
    return {name: getattr(configuration, name) for name in names}


def _by_headers(bursts: Sequence[Burst], configuration: LinkConfiguration) -> list[Burst | Exception]:
    """Bursts of one length by what their headers say; `Lost` for one whose header is none."""
    laid_out = [replace(burst, **_lay_out(configuration)) for burst in bursts]
    try:
        check_csi(laid_out[0])
        matched = _matched(laid_out)
    except SemLinkError as error:
        return [error] * len(bursts)
    headers = _headers(matched, configuration)
    return [
        Lost(_LOST_HEADER) if header is None else _as_headed(burst, configuration, header)
        for burst, header in zip(bursts, headers, strict=True)
    ]


def _matched(bursts: Sequence[Burst]) -> Complex:
    """Matched-filter outputs conj(h) y of all symbols but the pilots: [B, n]."""
    if bursts[0].payload_symbols < 1:
        raise InvalidSymbols(
            f"a burst of {bursts[0].symbols.size} symbols, of which {bursts[0].pilot_symbols} should be pilots"
        )
    gain = estimate(bursts).gain
    symbols = np.stack([burst.payload for burst in bursts])
    return symbols * (gain if gain.ndim == 2 else gain[:, None]).conj()


def _headers(matched: Complex, configuration: LinkConfiguration) -> list[Header | None]:
    """The header of each burst: that of a first round, or, where pictures are sent in rounds, of a later one."""
    found: list[Header | None] = [None] * len(matched)
    for turn, short in product(PHASE_TURNS[configuration.csi], (False, True)[: 1 + configuration.in_rounds]):
        rows = [row for row, header in enumerate(found) if header is None]
        if not rows:
            break
        symbols = configuration.header_symbols_of(int(short))
        for row, header in zip(rows, decode_headers(turn * matched[rows], symbols, short=short), strict=True):
            if header is not None and header_fits(header, configuration, short=short):
                found[row] = header
    return found


def _as_headed(burst: Burst, configuration: LinkConfiguration, header: Header) -> Burst:
    later = configuration.is_later_round(header.round)
    number = header.round if later else header.length
    found = _described(burst, configuration, number)
    codec = found.codec if later else replace(found.codec, mode=header.mode)
    return replace(
        found,
        codec=codec,
        round=header.round,
        attempt=header.sequence if configuration.questions else 0,
        header_symbols=configuration.header_symbols_of(header.round),
        offset_symbols=found.offset_symbols if later else 0,
        session=session_of(configuration, header.session) if _in_sessions(configuration) else 0,
    )


def _in_sessions(configuration: LinkConfiguration) -> bool:
    return configuration.in_rounds or configuration.questions
