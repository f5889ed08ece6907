"""Where the channel uses go: payload, pilots, header, configuration and cyclic prefix of each scheme, as bars."""

from typing import Final

import polars as pl
from matplotlib.figure import Figure

from lab.report.results import Results, channel_name

PICTURES: Final = 1000
"""Pictures that share one configuration."""
USES_CAPTION: Final = (
    f"Where the channel uses of one picture go, in the mean; a configuration is shared by {PICTURES:,} pictures"
)
_PARTS: Final = {
    "payload": ("payload", "#1d4ed8"),
    "pilots": ("pilots", "#d97706"),
    "header_symbols": ("header", "#dc2626"),
    "configuration": (f"configuration / {PICTURES:,}", "#0f766e"),
    "waveform_symbols": ("cyclic prefix, unused subcarriers", "#64748b"),
}
_MOST: Final = 24


def uses_of(results: Results, channel: tuple[str, str], snr_db: float) -> pl.DataFrame:
    """Channel uses of one picture, a row for each scheme and length: columns scheme, k and the parts."""
    values = results.reference["source_values"]
    rows = results.of(fading=channel[0], csi=channel[1], snr_db=snr_db)
    total, payload = pl.col("cbr_total") * values, pl.col("cbr") * values
    return rows.select(
        "scheme",
        "k",
        payload.alias("payload"),
        (total - payload - pl.col("header_symbols") - pl.col("waveform_symbols")).alias("pilots"),
        "header_symbols",
        (pl.col("configuration_symbols") / PICTURES).alias("configuration"),
        "waveform_symbols",
    )


def draw_uses(results: Results, channel: tuple[str, str]) -> Figure | None:
    """Bars at the lowest and the highest SNR, since headers and rounds depend on it; None where nothing was sent.

    Of many schemes and lengths the shortest, since there the rest weighs most.
    """
    snrs = sorted(results.of(fading=channel[0], csi=channel[1])["snr_db"].unique())
    if not snrs:
        return None
    chosen = list(dict.fromkeys((snrs[0], snrs[-1])))
    tables = [uses_of(results, channel, snr_db) for snr_db in chosen]
    kept = tables[0].sort("k", maintain_order=True).head(_MOST).select("scheme", "k")
    figure = Figure(figsize=(4.6 * len(chosen) + 1.4, 0.3 * len(kept) + 1.5), layout="constrained")
    grid = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for axes, snr_db, table in zip(grid, chosen, tables, strict=True):
        shown = kept.join(table, on=["scheme", "k"], how="left", maintain_order="left").fill_null(0.0)
        left = [0.0] * len(shown)
        for name, (label, colour) in _PARTS.items():
            widths = shown[name].to_list()
            axes.barh(range(len(shown)), widths, 0.7, left=left, color=colour, label=label)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        for place, end in enumerate(left):
            axes.text(end, place, f" {end:.0f}", va="center", fontsize=7)
        axes.set_yticks(range(len(shown)), [f"{scheme}, k = {k:.0f}" for scheme, k in kept.iter_rows()])
        axes.set_xlim(0, 1.12 * max(left))
        axes.set_xlabel("channel uses of one picture")
        axes.set_title(f"{snr_db:g} dB".replace("-", "−"))
        axes.grid(axis="y", visible=False)
    grid[0].invert_yaxis()
    figure.suptitle(channel_name(*channel), fontsize=11)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(_PARTS))
    return figure
