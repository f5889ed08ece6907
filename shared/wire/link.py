"""Plain values to protobuf messages and back; nothing else in the services touches message fields of the air."""

import math
from collections.abc import Iterable

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as link
from shared.errors import InvalidInput, InvalidSetting, InvalidSymbols
from shared.frame.burst import Burst, ChannelReport, CodecSpec, Csi, Genie, Hit, Reception, Trace
from shared.frame.symbols import BYTES_PER_SYMBOL, MAX_SYMBOLS, pack_symbols, unpack_symbols
from shared.ledger import Entry, Kind
from shared.phy import Grid, PilotPattern
from shared.types import Complex
from shared.wire.channel import override_from_wire, override_to_wire, report_from_wire, report_to_wire

MAX_TOP_K = 100
_CSI: dict[Csi, common.Csi.ValueType] = {
    "none": common.CSI_NONE,
    "pilot": common.CSI_PILOT,
    "perfect": common.CSI_PERFECT,
}
_PILOT_PATTERN: dict[PilotPattern, common.PilotPattern.ValueType] = {
    "preamble": common.PILOT_PATTERN_PREAMBLE,
    "scattered": common.PILOT_PATTERN_SCATTERED,
}
_MEASURED, _EMULATED = common.LedgerEntry.KIND_MEASURED, common.LedgerEntry.KIND_EMULATED
_CSI_NAME = {number: name for name, number in _CSI.items()}
_PILOT_PATTERN_NAME = {number: name for name, number in _PILOT_PATTERN.items()}


def csi_from_wire(csi: common.Csi.ValueType) -> Csi | None:
    """What the receiver knows; None when unspecified. Raises InvalidSetting for a number without a meaning."""
    if csi and csi not in _CSI_NAME:
        raise InvalidSetting(f"csi = {csi}: choose 1 (none), 2 (pilot) or 3 (perfect)")
    return _CSI_NAME.get(csi)


def csi_to_wire(csi: Csi | None) -> common.Csi.ValueType:
    """The number of a CSI mode; unspecified for None. Raises InvalidSetting for a name without one."""
    if csi is not None and csi not in _CSI:
        raise InvalidSetting(f"csi = {csi!r}: choose from {', '.join(_CSI)}")
    return common.CSI_UNSPECIFIED if csi is None else _CSI[csi]


def pilot_pattern_from_wire(pilot_pattern: common.PilotPattern.ValueType) -> PilotPattern | None:
    """Where the pilots stand; None when unspecified. Raises InvalidSetting for a number without a meaning."""
    if pilot_pattern and pilot_pattern not in _PILOT_PATTERN_NAME:
        raise InvalidSetting(f"pilot_pattern = {pilot_pattern}: choose 1 (preamble) or 2 (scattered)")
    return _PILOT_PATTERN_NAME.get(pilot_pattern)


def pilot_pattern_to_wire(pilot_pattern: PilotPattern | None) -> common.PilotPattern.ValueType:
    """The number of a pilot_pattern; unspecified for None. Raises InvalidSetting for a name without one."""
    if pilot_pattern is not None and pilot_pattern not in _PILOT_PATTERN:
        raise InvalidSetting(f"pilot_pattern = {pilot_pattern!r}: choose from {', '.join(_PILOT_PATTERN)}")
    return common.PILOT_PATTERN_UNSPECIFIED if pilot_pattern is None else _PILOT_PATTERN[pilot_pattern]


def top_k_from_wire(top_k: int) -> int:
    """Hits wanted; 5 when unset."""
    if top_k > MAX_TOP_K:
        raise InvalidSetting(f"top_k = {top_k}: ask for 1 to {MAX_TOP_K} hits")
    return top_k or 5


def checked_certainty(name: str, certainty: float) -> float:
    """A certainty. Raises InvalidSetting for a number that is no probability."""
    if not 0 <= certainty <= 1:
        raise InvalidSetting(f"{name} = {certainty}: give a probability, 0 to 1")
    return certainty


def spec_to_wire(spec: CodecSpec) -> common.CodecSpec:
    """A codec's name, length and fingerprints."""
    return common.CodecSpec(
        codec=spec.codec,
        k=spec.k,
        fingerprint=spec.fingerprint,
        clip_fingerprint=spec.clip_fingerprint,
        mode=spec.mode,
    )


def spec_from_wire(message: common.CodecSpec) -> CodecSpec:
    """A codec's name, length and fingerprints, from a message."""
    return CodecSpec(message.codec, message.k, message.fingerprint, message.clip_fingerprint, message.mode)


def burst_to_wire(burst: Burst) -> link.Burst:
    """One burst as a message."""
    genie = burst.genie
    return link.Burst(
        burst_id=burst.burst_id,
        stream=burst.stream,
        counter=burst.counter,
        codec=spec_to_wire(burst.codec),
        pilot_symbols=burst.pilots,
        payload_symbols=burst.symbols.size - burst.pilots,
        symbols=pack_symbols(burst.symbols),
        csi=_CSI[burst.csi],
        timeout_seconds=burst.timeout_seconds,
        top_k=burst.top_k,
        trace=burst.trace,
        channel_override=override_to_wire(burst.channel_override),
        genie=None if genie is None else link.Genie(gain=pack_symbols(genie.gain), n0=genie.n0),
        pilot_pattern=_PILOT_PATTERN[burst.pilot_pattern],
        ofdm=None if burst.grid is None else link.OfdmGrid(**burst.grid._asdict()),
        session=burst.session,
        offset_symbols=burst.offset_symbols,
        wanted_certainty=burst.wanted_certainty,
    )


def pass_on(message: link.Burst, y: Complex, genie: Genie | None, grid: Grid | None) -> None:
    """Make of a burst as it was sent what the receiver gets; cheaper than a message of its own.

    y: [pilots + payload], complex64, received symbols.
    """
    message.symbols = pack_symbols(y)
    for field in ("channel_override", "genie", "ofdm"):
        message.ClearField(field)
    if genie is not None:
        message.genie.CopyFrom(link.Genie(gain=pack_symbols(genie.gain), n0=genie.n0))
    if grid is not None:
        message.ofdm.CopyFrom(link.OfdmGrid(**grid._asdict()))


def burst_from_wire(message: link.Burst) -> Burst:
    """A message as a burst. Raises InvalidInput, naming the field, for one that is none."""
    total = message.pilot_symbols + message.payload_symbols
    if not message.payload_symbols or total > MAX_SYMBOLS:
        raise InvalidSymbols(
            f"a burst of {message.pilot_symbols} pilots and {message.payload_symbols} payload symbols: "
            f"send at least 1 payload symbol and at most {MAX_SYMBOLS} in all"
        )
    if not message.timeout_seconds >= 0:
        raise InvalidInput(f"timeout_seconds = {message.timeout_seconds}: give 0 for none, or what is left")
    if not message.session and (message.offset_symbols or message.wanted_certainty):
        raise InvalidInput(
            f"offset_symbols = {message.offset_symbols} and wanted_certainty = {message.wanted_certainty:g} without a "
            "session: name one, or leave them out"
        )
    csi = csi_from_wire(message.csi)
    if csi is None or (csi == "pilot") != (message.pilot_symbols > 0):
        raise InvalidSetting(
            f"csi {csi} with {message.pilot_symbols} pilots: pilots go with csi pilot, and only with it"
        )
    return Burst(
        burst_id=message.burst_id,
        stream=message.stream,
        counter=message.counter,
        codec=spec_from_wire(message.codec),
        pilots=message.pilot_symbols,
        symbols=unpack_symbols(message.symbols, total),
        csi=csi,
        timeout_seconds=message.timeout_seconds,
        top_k=top_k_from_wire(message.top_k),
        trace=message.trace,
        channel_override=override_from_wire(message.channel_override),
        genie=_genie_from_wire(message.genie) if message.HasField("genie") else None,
        pilot_pattern=pilot_pattern_from_wire(message.pilot_pattern) or "preamble",
        grid=_grid_from_wire(message.ofdm) if message.HasField("ofdm") else None,
        session=message.session,
        offset_symbols=message.offset_symbols,
        wanted_certainty=checked_certainty("wanted_certainty", message.wanted_certainty),
    )


def reception_to_wire(reception: Reception) -> link.Reception:
    """The receiver's answer as a message."""
    return link.Reception(
        burst_id=reception.burst_id,
        top=hits_to_wire(reception.top),
        confidence=reception.confidence,
        accepted=reception.accepted,
        reason=reception.reason,
        snr_db_estimated=reception.snr_db_estimated,
        ledger=entries_to_wire(reception.ledger),
        elapsed_seconds=reception.elapsed_seconds,
        channel=None if reception.channel is None else report_to_wire(reception.channel),
        trace=None if reception.trace is None else trace_to_wire(reception.trace),
        knowledge_base=reception.knowledge_base,
        knowledge_base_version=reception.knowledge_base_version,
        certainty=reception.certainty,
        request_more=reception.request_more,
    )


def reception_from_wire(message: link.Reception) -> Reception:
    """A message as the receiver's answer."""
    return Reception(
        burst_id=message.burst_id,
        top=hits_from_wire(message.top),
        confidence=message.confidence,
        accepted=message.accepted,
        reason=message.reason,
        ledger=entries_from_wire(message.ledger),
        elapsed_seconds=message.elapsed_seconds,
        knowledge_base=message.knowledge_base,
        knowledge_base_version=message.knowledge_base_version,
        snr_db_estimated=message.snr_db_estimated if message.HasField("snr_db_estimated") else None,
        trace=trace_from_wire(message.trace) if message.HasField("trace") else None,
        channel=report_from_wire(message.channel) if message.HasField("channel") else None,
        certainty=message.certainty if message.HasField("certainty") else None,
        request_more=message.request_more,
    )


def add_channel(message: link.Reception, report: ChannelReport, ledger: Iterable[Entry]) -> None:
    """Add what the channel has to tell to an answer on its way back."""
    message.channel.CopyFrom(report_to_wire(report))
    for stage, seconds, kind in ledger:
        message.ledger.add(stage=stage, seconds=seconds, kind=_EMULATED if kind is Kind.EMULATED else _MEASURED)


def hits_to_wire(hits: Iterable[Hit]) -> list[common.Hit]:
    """Items near the received embedding."""
    return [common.Hit(item_id=hit.item_id, label=hit.label, distance=hit.distance) for hit in hits]


def hits_from_wire(messages: Iterable[common.Hit]) -> tuple[Hit, ...]:
    """Items near the received embedding, from messages."""
    return tuple(Hit(hit.item_id, hit.label, hit.distance) for hit in messages)


def entries_to_wire(entries: Iterable[Entry]) -> list[common.LedgerEntry]:
    """Stages of a ledger."""
    return [
        common.LedgerEntry(stage=stage, seconds=seconds, kind=_EMULATED if kind is Kind.EMULATED else _MEASURED)
        for stage, seconds, kind in entries
    ]


def entries_from_wire(messages: Iterable[common.LedgerEntry]) -> tuple[Entry, ...]:
    """Stages of a ledger, from messages; a kind of a later version counts as measured."""
    return tuple(
        Entry(message.stage, message.seconds, Kind.EMULATED if message.kind == _EMULATED else Kind.MEASURED)
        for message in messages
    )


def trace_to_wire(trace: Trace) -> common.Trace:
    """Symbols seen on the way."""
    return common.Trace(
        sent=pack_symbols(trace.sent), received=pack_symbols(trace.received), equalized=pack_symbols(trace.equalized)
    )


def trace_from_wire(message: common.Trace) -> Trace:
    """Symbols seen on the way, from a message."""
    return Trace(
        *(unpack_symbols(data, len(data) // 8) for data in (message.sent, message.received, message.equalized))
    )


def _genie_from_wire(message: link.Genie) -> Genie:
    if not 0 <= message.n0 < math.inf:
        raise InvalidSymbols(f"genie.n0 = {message.n0}: give the noise power per symbol, 0 or more")
    return Genie(unpack_symbols(message.gain, len(message.gain) // BYTES_PER_SYMBOL), message.n0)


def _grid_from_wire(message: link.OfdmGrid) -> Grid:
    if not 1 <= message.fft_size <= MAX_SYMBOLS:
        raise InvalidInput(f"ofdm.fft_size = {message.fft_size}: give the number of subcarriers, 1 to {MAX_SYMBOLS}")
    return Grid(message.fft_size, message.cyclic_prefix_symbols)
