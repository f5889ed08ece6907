"""The names of the CLIPs that ship."""

from typing import Final

MODEL: Final = "clip-tiny"
SCENES: Final = "clip-scenes"
"""It knows drawn scenes of several objects, and questions about them."""
SHIPPED: Final = (MODEL, SCENES)
