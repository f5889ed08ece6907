"""Where the weights of the CLIPs that ship lie."""

from importlib.resources import files
from pathlib import Path

from shared.errors import NotFound


def shipped_weights(model: str) -> Path:
    """The file of weights of one of `SHIPPED`. Raises NotFound if it is missing."""
    path = Path(str(files("assets").joinpath(model, "model.safetensors")))
    if not path.is_file():
        raise NotFound(f"The weights of {model} are not at {path}; train them with `semlink train {model}`.")
    return path
