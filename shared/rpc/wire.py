"""Plain values to protobuf messages and back; nothing else in the services touches message fields of the air."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from protos.semlink.v1 import common_pb2 as common
from protos.semlink.v1 import link_pb2 as link
from shared.burst import Burst, ChannelReport, CodecSpec, Csi, Genie, Hit, Reception, Trace
from shared.channel import ChannelSettings, FadingName
from shared.errors import InvalidInput, InvalidSetting, InvalidSymbols
from shared.ledger import Entry, Kind
from shared.symbols import MAX_SYMBOLS, Complex, pack_symbols, unpack_symbols

MAX_TOP_K = 100
_FADING: dict[FadingName, common.Fading.ValueType] = {"none": common.FADING_NONE, "rayleigh": common.FADING_RAYLEIGH}
_CSI: dict[Csi, common.Csi.ValueType] = {
    "none": common.CSI_NONE,
    "pilot": common.CSI_PILOT,
    "perfect": common.CSI_PERFECT,
}
_MEASURED, _EMULATED = common.LedgerEntry.KIND_MEASURED, common.LedgerEntry.KIND_EMULATED
_FADING_NAME = {number: name for name, number in _FADING.items()}
_CSI_NAME = {number: name for name, number in _CSI.items()}


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


def top_k_from_wire(top_k: int) -> int:
    """Hits wanted; 5 when unset."""
    if top_k > MAX_TOP_K:
        raise InvalidSetting(f"top_k = {top_k}: ask for 1 to {MAX_TOP_K} hits")
    return top_k or 5


def settings_to_wire(settings: ChannelSettings) -> common.ChannelSettings:
    """All settings of the channel."""
    fields = settings.model_dump()
    return common.ChannelSettings(**fields | {"fading": _FADING[settings.fading]})


def settings_from_wire(message: common.ChannelSettings) -> ChannelSettings:
    """All settings of the channel, from a message that may hold some; the others are the defaults."""
    return ChannelSettings().updated(**override_from_wire(message))


def override_to_wire(override: Mapping[str, Any]) -> common.ChannelSettings | None:
    """Some settings of the channel; None for none. Raises InvalidSetting for a value that no message can hold."""
    known = {name: value for name, value in override.items() if value is not None}
    if "fading" in known:
        if known["fading"] not in _FADING:
            raise InvalidSetting(f"fading = {known['fading']!r}: choose from {', '.join(_FADING)}")
        known["fading"] = _FADING[known["fading"]]
    try:
        return common.ChannelSettings(**known) if known else None
    except (ValueError, TypeError) as error:
        raise InvalidSetting(f"a channel setting is out of its range: {error}") from error


def override_from_wire(message: common.ChannelSettings) -> dict[str, Any]:
    """The fields that are set, by name. Raises InvalidSetting for a fading without a meaning."""
    fields = {descriptor.name: value for descriptor, value in message.ListFields()}
    if "fading" in fields:
        if fields["fading"] not in _FADING_NAME:
            raise InvalidSetting(f"fading = {fields['fading']}: choose 1 (none) or 2 (rayleigh)")
        fields["fading"] = _FADING_NAME[fields["fading"]]
    return fields


def spec_to_wire(spec: CodecSpec) -> common.CodecSpec:
    """A codec's name, length and fingerprints."""
    return common.CodecSpec(
        codec=spec.codec, k=spec.k, fingerprint=spec.fingerprint, clip_fingerprint=spec.clip_fingerprint
    )


def spec_from_wire(message: common.CodecSpec) -> CodecSpec:
    """A codec's name, length and fingerprints, from a message."""
    return CodecSpec(message.codec, message.k, message.fingerprint, message.clip_fingerprint)


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
        genie=None if genie is None else link.Genie(gain=pack_symbols(_array(genie.gain)), n0=genie.n0),
    )


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
        snr_db_estimated=message.snr_db_estimated if message.HasField("snr_db_estimated") else None,
        trace=trace_from_wire(message.trace) if message.HasField("trace") else None,
        channel=report_from_wire(message.channel) if message.HasField("channel") else None,
    )


def report_to_wire(report: ChannelReport) -> common.ChannelReport:
    """What the channel did, as a message."""
    return common.ChannelReport(
        snr_db_asked=report.snr_db_asked,
        snr_db_achieved=report.snr_db_achieved,
        fading=_FADING[report.fading],
        seed=report.seed,
        stream=report.stream,
        counter=report.counter,
        signal_power=report.signal_power,
        noise_power=report.noise_power,
        gain_real=report.gain.real,
        gain_imag=report.gain.imag,
    )


def report_from_wire(message: common.ChannelReport) -> ChannelReport:
    """What the channel did, from a message."""
    return ChannelReport(
        snr_db_asked=message.snr_db_asked,
        snr_db_achieved=message.snr_db_achieved,
        fading=_FADING_NAME.get(message.fading, "none"),
        seed=message.seed,
        stream=message.stream,
        counter=message.counter,
        signal_power=message.signal_power,
        noise_power=message.noise_power,
        gain=complex(message.gain_real, message.gain_imag),
    )


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
    return Genie(complex(unpack_symbols(message.gain, 1)[0]), message.n0)


def _array(value: complex) -> Complex:
    return np.array([value], np.complex64)
