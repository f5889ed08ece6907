"""Widths of `kbsc`, as published."""

from typing import Final

DIM: Final = 512
HIDDEN: Final = 384
