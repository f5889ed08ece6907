"""Two codecs in files of a user's own."""

import re
from pathlib import Path

from tests.tools.paths import ROOT

_RANDOM_JSCC = '''
import torch

from shared.codecs.picture.jscc.codec import DeepJscc
from shared.codecs.picture.jscc.deepjscc import DeepJsccNetwork


class RandomJscc(DeepJscc):
    """The network as it is before training."""

    name = "random-jscc"

    @classmethod
    def load(cls, k, device):
        torch.manual_seed(3)
        return cls.of_network(DeepJsccNetwork(), k, device)
'''


def own_codecs(folder: Path) -> list[str]:
    """`signs`, the tutorial's codec of embeddings, and `random-jscc`, one of pictures, as --own-codec takes them."""
    tutorial = (ROOT / "docs/tutorial/your-own-codec.md").read_text(encoding="utf-8")
    (folder / "signs.py").write_text(re.findall(r"```python\n(.*?)```", tutorial, re.DOTALL)[0], encoding="utf-8")
    (folder / "jscc.py").write_text(_RANDOM_JSCC, encoding="utf-8")
    return [f"{folder / 'signs.py'}:Signs", f"{folder / 'jscc.py'}:RandomJscc"]
