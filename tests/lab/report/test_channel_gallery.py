"""The channel's figure and its page: all of it is drawn, and no setting is left out."""

import pytest
from PIL import Image

from shared.phy import ChannelSettings
from tests.tools.paths import ROOT

pytest.importorskip("matplotlib")

from lab.report.channel_gallery import PANELS, draw_gallery


def test_every_panel_shows_something(tmp_path):
    draw_gallery(tmp_path / "new" / "channel.png")
    with Image.open(tmp_path / "new" / "channel.png") as picture:
        assert picture.size == (1200, 1400)
        grey = picture.convert("L")
    rows = -(-len(PANELS) // 4)
    for number in range(len(PANELS)):
        left, top = number % 4 * 300, number // 4 * 1400 // rows
        panel = grey.crop((left + 50, top + 40, left + 240, top + 1400 // rows - 60))
        darkest, brightest = panel.getextrema()
        assert brightest - darkest > 60, f"panel {number} is empty"


def test_the_page_names_every_setting():
    page = (ROOT / "docs" / "physics" / "channel.md").read_text(encoding="utf-8")
    assert [name for name in ChannelSettings.model_fields if f"`{name}`" not in page and f"`{name} =" not in page] == []
