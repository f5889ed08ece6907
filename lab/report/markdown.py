"""The page of results: a chapter for each comparison, tables in Markdown, figures beside it."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from lab.report.cards import markdown_table
from lab.report.figures import draw_all
from lab.report.gain import HALF, LEVELS, lengths, snr_needed, symbols_needed
from lab.report.results import Results, channel_name

LONGEST_BOUND = 512
"""Real dimensions from which on the upper bound is the classifier's accuracy, and says nothing more."""

_PAGE = """# Results

{queries:,} queries ask a knowledge base of {items:,} items with {classes} labels, all embedded by {clip}
`{clip_fingerprint}`. Semantic accuracy is the share of queries whose retrieved item has the right label. Without a
channel the nearest item is right for {nearest:.3f}{classifier}.

Made by

{commands}

{machine}
`docs/how-to/laboratory.md` says what each scheme is, and what the columns of `results.csv` mean. `cbr` counts the
payload, `cbr_total` all that a picture takes on the air: pilots, and headers where there are any. How receivers learn
what a burst is (framing) is `implicit` unless a scheme's name says otherwise: both ends are configured before, by a
control message that all pictures share. Shaded bands in figures are Wilson intervals, 95 %. A dash in a table is a
scheme that has no form at that bandwidth and SNR; an empty cell was not measured.

{parts}
"""


def write_page(folder: Path, more: Sequence[tuple[str, str]] = (), command: str | None = None) -> Path:
    """Write `results.md` and its figures into a folder that `semlink evaluate` has written.

    Comparisons in its sub-folders follow as chapters. more: figures that lie there already, and their captions.
    command: what to type to do it all again, where it was more than evaluating and reporting.
    """
    chapters = [Results.read(folder), *(Results.read(path.parent) for path in sorted(folder.glob("*/results.parquet")))]
    parts = [part for chapter in chapters for part in _chapter(chapter, folder)]
    reference = chapters[0].reference
    best, machine = reference["classifier_accuracy"], reference.get("machine")
    commands = [command] if command else [*map(_command, chapters), f"semlink report {folder}"]
    page = _PAGE.format(
        **{name: reference[name] for name in ("queries", "items", "classes", "clip", "clip_fingerprint")},
        nearest=reference["nearest_accuracy"],
        classifier="" if best is None else f",\nand the best classifier of the same embeddings for {best:.3f}",
        commands="\n".join(f"    {line}" for line in commands),
        machine=f"on {machine}.\n" if machine else "",
        parts="\n".join([*parts, _figures_part(more)]),
    )
    path = folder / "results.md"
    path.write_text(page, encoding="utf-8")
    return path


def _command(chapter: Results) -> str:
    return f"semlink evaluate {chapter.reference.get('scenario') or 'SCENARIO'} --data DATA --out {chapter.folder}"


def _chapter(results: Results, folder: Path) -> list[str]:
    """Heading, figures and tables of one comparison. folder: of the page."""
    prefix = "" if results.folder == folder else f"{results.folder.name}-"
    return [
        f"## {results.reference.get('title', 'Comparison')}\n\n{_sent(results.rows)}\n",
        _figures_part(draw_all(results, folder / "figures", prefix)),
        *(_accuracy_part(results, channel) for channel in results.channels),
        *(_gain_part(results, channel) for channel in results.channels),
        *_headers_part(results),
        _cost_part(results),
    ]


def _sent(rows: pl.DataFrame) -> str:
    """How many pictures a row stands for, and which receivers were told what no real one could know."""
    counts = rows.filter(pl.col("n") > 0)["n"].to_list() or [0]
    least, most = f"{min(counts):,}", f"{max(counts):,}"
    told = rows.filter(pl.col("genie") != "").select("scheme", "genie").unique(maintain_order=True)
    genies = [f"`{scheme}` ({genie})" for scheme, genie in told.iter_rows()]
    return (
        f"{least if least == most else f'{least} to {most}'} pictures for each row. "
        f"Told what no real receiver could know (genie): {', '.join(genies) or 'none'}."
    )


def _figures_part(figures: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"![{caption}](figures/{name})\n\n*{caption}*\n" for name, caption in figures)


def _accuracy_part(results: Results, channel: tuple[str, str]) -> str:
    rows = results.rows.filter(fading=channel[0], csi=channel[1])
    snrs = sorted(rows["snr_db"].unique())
    lines: list[dict[str, float | str]] = []
    for part in rows.partition_by("scheme", "k", maintain_order=True):
        by_snr = {row["snr_db"]: row for row in part.iter_rows(named=True)}
        scheme, k = part["scheme"][0], part["k"][0]
        cells = {f"{snr_db:g} dB": _cell(by_snr.get(snr_db)) for snr_db in snrs}
        lines.append({"scheme": scheme, "k": str(k), "cbr_total": f"{part['cbr_total'][0]:.4f}", **cells})
    lines += _upper_bound_lines(rows, snrs)
    return f"### Semantic accuracy / mean cosine: {channel_name(*channel)}\n\n{markdown_table(lines)}\n"


def _upper_bound_lines(rows: pl.DataFrame, snrs: list[float]) -> list[dict[str, float | str]]:
    known = rows.filter(pl.col("upper_bound").is_not_nan(), pl.col("k") <= LONGEST_BOUND)
    lines: list[dict[str, float | str]] = []
    for part in known.partition_by("k", maintain_order=True):
        bounds = dict(part.select("snr_db", "upper_bound").iter_rows())
        cells = {f"{snr_db:g} dB": f"{bounds[snr_db]:.3f}" if snr_db in bounds else "" for snr_db in snrs}
        lines.append({"scheme": "upper bound", "k": str(part["k"][0]), "cbr_total": "", **cells})
    return sorted(lines, key=lambda line: int(line["k"]))


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""  # not measured yet
    if not row["n"]:
        return "—"
    return f"{row['semantic_accuracy']:.3f} / {row['cosine']:.2f}"


def _gain_part(results: Results, channel: tuple[str, str]) -> str:
    """Decibels and symbols that each scheme needs for an accuracy."""
    here = results.of(fading=channel[0], csi=channel[1])
    schemes = [scheme for scheme in results.schemes if scheme in here["scheme"]]
    snrs = sorted(here["snr_db"].unique())
    decibels: list[dict[str, float | str]] = []
    for scheme, k in product(schemes, lengths(results)):
        values = {level: snr_needed(results, scheme, channel, k, level) for level in LEVELS}
        if not all(math.isnan(value) for value in values.values()):
            cells = {f"{level:g}": _number(value) for level, value in values.items()}
            decibels.append({"scheme": scheme, "k": str(k), **cells})
    symbols: list[dict[str, float | str]] = []
    for scheme in schemes:
        if here.filter(scheme=scheme)["k"].n_unique() > 1:
            needed = {at: symbols_needed(results, scheme, channel, at, HALF) for at in snrs}
            symbols.append({"scheme": scheme, **{f"{at:g} dB": _number(value) for at, value in needed.items()}})
    parts = [
        f"### {title}: {channel_name(*channel)}\n\n{markdown_table(rows)}\n"
        for title, rows in (
            ("SNR in dB that is needed for an accuracy", decibels),
            (f"Payload symbols that are needed for an accuracy of {HALF:g}", symbols),
        )
        if rows
    ]
    return "\n".join(parts)


def _number(value: float) -> str:
    if math.isnan(value):
        return "—"
    return "less than measured" if math.isinf(value) else f"{value:.1f}"


def _headers_part(results: Results) -> list[str]:
    """What headers on the air cost and how many were lost; nothing where there are none."""
    rows = results.rows.filter(pl.col("header_bler").is_not_nan())
    if rows.is_empty():
        return []
    lines: list[dict[str, float | str]] = []
    for part in rows.partition_by("scheme", "k", "fading", "csi", maintain_order=True):
        first = part.row(0, named=True)
        cells = {
            f"{row['snr_db']:g} dB": "{header_symbols:.0f}: {header_bler:.3f}, {header_undetected:g}".format(**row)
            for row in part.sort("snr_db").iter_rows(named=True)
        }
        about_it = {
            "scheme": first["scheme"],
            "k": str(first["k"]),
            "channel": channel_name(first["fading"], first["csi"]),
        }
        lines.append(about_it | cells)
    about = "Symbols of the headers of a picture: share of headers that were lost, share that were read as others."
    return [f"### Headers\n\n{about}\n\n{markdown_table(lines)}\n"]


def _cost_part(results: Results) -> str:
    rows = results.rows.filter(pl.col("n") > 0).group_by("scheme", "k", maintain_order=True)
    least = rows.agg(pl.col("params", "macs").first(), pl.col("encode_ms", "decode_ms").min())
    lines: list[dict[str, float | str]] = [
        {
            "scheme": row["scheme"],
            "k": str(row["k"]),
            "parameters": f"{row['params']:,}",
            "multiply-accumulates": f"{row['macs']:,}",
            "encode, ms": f"{row['encode_ms']:.3f}",
            "decode, ms": f"{row['decode_ms']:.3f}",
        }
        for row in least.iter_rows(named=True)
    ]
    about = "In batches, without CLIP, but where it embeds a decoded picture. Times are the least of all rows."
    return f"### Cost of one picture\n\n{about}\n\n{markdown_table(lines)}\n"
