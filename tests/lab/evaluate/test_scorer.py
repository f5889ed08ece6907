"""Figures of the scorer, by hand."""

import numpy as np
import pytest

from lab.evaluate.scorer import psnr_db


def test_psnr_by_hand() -> None:
    black = np.zeros((2, 4, 4, 3), np.uint8)
    grey = black.copy()
    grey[1] = 16
    assert psnr_db(black, grey).tolist() == pytest.approx([60, 20 * np.log10(255 / 16)])
