"""Which rows and pictures the figure shows."""

from collections.abc import Sequence

import numpy as np

from cli.demo.result import Row

SHOWN = 10


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """The best and the worst AWGN row: the same pictures through a good and a bad channel."""
    awgn = sorted((row for row in rows[1:] if row.setup.fading == "none"), key=lambda row: row.setup.snr_db)
    return awgn if len(awgn) == 1 else [awgn[-1], awgn[0]]


def shown_positions(count: int) -> list[int]:
    """Positions spread evenly over all pictures, an unbiased choice; of 200 they show all ten shapes and colours."""
    return [int(position) for position in np.linspace(0, count - 1, min(SHOWN, count))]


def shown_items(rows: Sequence[Row]) -> set[str]:
    """Items of the knowledge base that the figure shows."""
    positions = shown_positions(len(rows[0].deliveries))
    return {row.deliveries[position].item_id for row in shown_rows(rows) for position in positions}
