"""The console in a real browser, over the real link."""

from pathlib import Path
from typing import Any

import pytest

from client import ChannelControl
from local.supervisor import LocalLink
from tests.console.conftest import Page

NARROW = 400


pytestmark = pytest.mark.usefixtures("_no_errors_in_the_browser")


def test_send_and_its_permanent_link(page: Page) -> None:
    page.open()
    page.press(page.find("drawn-5"))
    assert page.send() in {"right", "wrong: it is blue circle"}
    for part in ("constellation", "ledger", "nearest", "confidence"):
        assert page.find(part).size["height"] > 10
    assert page.find("command").text.startswith("semlink send blue-circle.png --snr-db 10 --fading none")
    told = [page.find(part).text for part in ("nearest", "confidence")]
    report = page.find("channel-report").text.rpartition(" · burst ")[0]
    page.driver.get(page.find("permanent").get_attribute("href"))
    assert page.find("channel-report").text.rpartition(" · burst ")[0] == report
    assert [page.find(part).text for part in ("nearest", "confidence")] == told


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    page.open()
    loaded = page.driver.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert loaded
    assert [name for name in loaded if not name.startswith((page.address, "data:", "blob:"))] == []


def test_a_wrong_file_is_refused_beside_the_button(page: Page, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"this is no picture")
    page.open()
    page.driver.find_element("css selector", ".semlink-upload input[type=file]").send_keys(str(wrong))
    page.until(lambda: page.find("chosen").text == "wrong.png")
    assert "no image that can be read" in page.send()
    page.press(page.find("drawn-0"))
    assert page.send() in {"right", "wrong: it is red circle"}


def test_a_link_that_cannot_be_replayed_says_why(page: Page) -> None:
    page.open("/?picture=unknown&replay=%7B%7D")
    assert "drop it on the page again" in page.until(lambda: page.find("error").text)


def test_a_killed_receiver_shows_and_the_page_heals(page: Page, link: LocalLink) -> None:
    page.open()
    receiver = link.services["receiver"]

    def is_away() -> bool:
        return "away" in page.find("service-receiver").get_attribute("aria-label")

    page.until(lambda: not is_away())
    receiver.kill()
    try:
        page.until(is_away)
        assert link.receiver in page.send()
    finally:
        receiver.start()
        link.wait_ready(["receiver"])
    page.until(lambda: not is_away())
    assert page.send() in {"right", "wrong: it is red circle"}


def test_a_narrow_window_needs_no_scrolling_sideways(page: Page) -> None:
    before = page.driver.get_window_size()
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": NARROW, "height": 900, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        page.open()
        page.send()
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= NARROW
        assert page.find("ledger").rect["width"] <= NARROW
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.set_window_size(before["width"], before["height"])


def test_a_drawing_and_a_photograph_are_chosen(page: Page) -> None:
    page.open()
    page.press(page.find("draw"))
    page.find("drawing").click()
    page.press(page.find("drawing-use"))
    page.until(lambda: page.find("chosen").text == "drawing.png")
    page.until(lambda: not page.all("drawing"))
    page.press(page.find("camera"))
    page.until(lambda: page.find("camera-take").is_enabled())
    page.press(page.find("camera-take"))
    page.until(lambda: page.find("chosen").text == "camera.jpg")
    assert page.send() == "the truth is not known"


def _series(page: Page, chart: Any) -> list[list[str]]:
    """Names of the points of a chart, by series."""
    return page.driver.execute_script(
        "return (getElement(+arguments[0].id.slice(1)).chart?.getOption()?.series ?? [])"
        ".map(one => one.data.map(point => point.name))",
        chart,
    )


def test_what_was_received_falls_on_the_map(page: Page) -> None:
    page.open()
    page.press(page.find("drawn-5"))
    page.send()
    page.tab("Knowledge base")
    page.find("kb-item")
    page.press(page.find("kb-map-open").find_element("css selector", ".q-item"))
    chart = page.find("kb-map")
    names = page.until(lambda: (found := _series(page, chart)) and len(found) == 2 and found)
    assert len(names[0]) == 400
    assert [name.partition(":")[0] for name in names[1]] == ["received"]


def test_live_draws_curves_and_its_slider_sets_the_channel(page: Page, link: LocalLink) -> None:
    page.open()
    page.tab("Live")
    page.press(page.find("live-start"))
    page.until(lambda: page.find("live-summary").text != "nothing sent yet")
    assert page.find("live-accuracy").size["height"] > 100
    page.press(page.find("live-record"))
    page.until(lambda: "END" in page.find("live-record").text.upper())
    page.press(page.find("live-record"))
    page.until(lambda: "END" not in page.find("live-record").text.upper())
    with ChannelControl(link.channel) as channel:
        before = channel.get().snr_db
        try:
            thumb = page.driver.find_element("css selector", "[data-testid=live-snr-slider] [tabindex]")
            thumb.send_keys("\ue012")  # arrow to the left
            page.until(lambda: channel.get().snr_db < before)
        finally:
            channel.reset()
    page.press(page.find("live-start"))
    page.until(lambda: "START" in page.find("live-start").text.upper())


def test_the_knowledge_base_is_browsed_and_searched(page: Page) -> None:
    page.open()
    page.tab("Knowledge base")
    page.find("kb-item")
    assert "2000 items, 100 labels" in page.until(lambda: page.find("kb-about").text)
    page.type("kb-label", "blue square")
    page.press(page.find("kb-browse"))
    page.until(lambda: {item.text.split("\n")[0] for item in page.all("kb-item")} == {"blue square"})
    field = page.find("kb-text")
    (field if field.tag_name == "input" else field.find_element("css selector", "input")).send_keys("a red circle\n")
    page.until(lambda: "distance" in page.find("kb-items").text)
    assert page.find("kb-item").text.startswith("red circle")
    page.type("kb-label", "no such label")
    page.press(page.find("kb-browse"))
    page.until(lambda: not page.all("kb-item"))
