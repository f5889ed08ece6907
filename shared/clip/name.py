"""The name of the CLIP that ships."""

from typing import Final

MODEL: Final = "clip-tiny"
