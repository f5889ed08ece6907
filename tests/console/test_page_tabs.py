"""The tabs after Send in a real browser: what each is for, and errors beside what caused them."""

import importlib.util
from typing import Any

import pytest

from local.supervisor import LocalLink
from tests.console.conftest import Page

pytestmark = pytest.mark.usefixtures("_no_errors_in_the_browser")


def _choose(page: Page, name: str, option: str) -> None:
    """Choose one option of a list."""
    page.press(page.driver.execute_script("return arguments[0].closest('label')", page.find(name)))

    def offered() -> Any:
        options = page.driver.find_elements("css selector", ".q-menu .q-item")
        return next((one for one in options if one.text == option), None)

    page.press(page.until(offered))


def test_a_question_shows_what_of_the_picture_is_sent(page: Page) -> None:
    page.open()
    page.tab("Ask")
    page.press(page.find("scene-2"))
    assert page.ask().startswith("the receiver says: ")
    shown = {name: page.find(name) for name in ("ask-original", "ask-sent", "ask-rebuilt")}
    assert shown["ask-sent"].get_attribute("alt") == "what is sent: 5 of 64 cells"
    assert len({one.get_attribute("src") for one in shown.values()}) == 3
    page.until(lambda: shown["ask-sent"].get_property("naturalWidth") == 256)


def test_a_question_in_a_fade_is_sent_again(page: Page) -> None:
    page.open()
    page.tab("Ask")
    page.find("scene-1")
    _choose(page, "ask-fading", "rayleigh")
    page.type("ask-repeats", "7")
    for _ in range(3):  # not to pass by a burst that was lucky alone
        answer = page.ask()
        assert answer.startswith("the receiver says: ")
        assert "nothing" not in answer


def test_a_question_over_the_air_is_counted(page: Page) -> None:
    page.open()
    page.tab("Ask")
    page.find("scene-0")
    page.press(page.find("ask-on-air"))
    assert page.ask().startswith("the receiver says: ")
    assert "384 bits and 66 of the question" in page.find("ask-cost").text


def test_a_question_that_cannot_be_asked_says_so_beside_it(page: Page) -> None:
    page.open()
    page.tab("Ask")
    page.find("scene-0")
    page.type("question", "what colour is the dog?")
    assert "dog" in page.ask()
    assert page.find("ask").is_enabled()


def test_codecs_are_compared_on_the_same_pictures(page: Page) -> None:
    page.open()
    page.tab("Compare")
    page.press(page.find("compare-start"))
    scores = page.until(lambda: [s.text for s in page.all("compare-score") if "of 8" in s.text])
    page.until(lambda: len([s for s in page.all("compare-score") if "of 8" in s.text]) == 2)
    assert all("cbr_total" in one for one in scores)


def test_a_point_of_results_has_its_command(page: Page) -> None:
    page.open()
    page.tab("Results")
    assert "4 of 4 rows" in page.find("results-count").text
    page.type("results-filter", "raw snr_db=5")
    page.until(lambda: "1 of 4 rows" in page.find("results-count").text)
    page.press(page.find("results-rows").find_element("css selector", "[aria-label^='command of row']"))
    assert page.find("results-command").text.split("\n")[0] == (
        "semlink evaluate small.toml --data drawn --no-limit --only scheme=raw --only k=64 --only fading=none "
        "--only csi=none --only framing=implicit --only snr_db=5 --out out/point"
    )
    page.press(page.find("results-figures").find_element("css selector", ".q-item"))
    figure = page.until(lambda: page.find("results-figures").find_elements("css selector", "img"))[0]
    assert figure.get_attribute("alt") == "accuracy"


def test_a_point_of_a_curve_leads_to_its_command(page: Page) -> None:
    page.open()
    page.tab("Results")
    chart = page.find("results-chart")
    at: Any = page.until(
        lambda: page.driver.execute_script(
            "const chart = getElement(+arguments[0].id.slice(1)).chart;"
            "return chart?.getOption()?.series?.length && chart.convertToPixel({seriesIndex: 0}, [5, 0.9])",
            chart,
        )
    )
    webdriver = pytest.importorskip("selenium.webdriver")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    across, down = at[0] - chart.size["width"] / 2, at[1] - chart.size["height"] / 2
    webdriver.ActionChains(page.driver).move_to_element_with_offset(chart, across, down).click().perform()
    assert "--only scheme=nested" in page.find("results-command").text


def test_a_map_by_umap_says_what_is_missing(page: Page) -> None:
    if importlib.util.find_spec("umap"):
        pytest.skip("UMAP is installed here")
    page.open()
    page.tab("Knowledge base")
    page.find("kb-item")
    page.press(page.find("kb-map-open").find_element("css selector", ".q-item"))
    page.find("kb-map")
    _choose(page, "kb-map-method", "UMAP")
    assert "pip install umap-learn, or choose PCA" in page.until(lambda: page.find("kb-map-error").text)
    _choose(page, "kb-map-method", "PCA")
    page.find("kb-map")
    assert page.all("kb-map-error")[0].text == ""


def test_an_item_is_relabelled_and_that_is_undone(page: Page) -> None:
    page.open()
    page.tab("Knowledge base")
    first = page.find("kb-item").text.split("\n")[0]
    page.press(page.find("kb-item").find_element("css selector", "[aria-label^='relabel']"))
    page.type("kb-new-label", "another label")
    page.press(page.find("kb-relabel"))
    page.until(lambda: page.find("kb-item").text.startswith("another label"))
    page.press(page.find("kb-undo"))
    page.until(lambda: page.find("kb-item").text.startswith(first))


def test_a_wrong_folder_is_named_and_stays_so(page: Page) -> None:
    """Whether a scenario runs is asked each second; its answer must not wipe the error away."""
    page.open()
    page.tab("Live")
    page.find("live-start")
    _choose(page, "live-source", "folder")
    page.type("live-folder", "no-such-folder")
    page.press(page.find("live-start"))
    assert "no-such-folder" in page.until(lambda: page.find("live-error").text)
    page.driver.execute_async_script("setTimeout(arguments[0], 2500)")
    assert "no-such-folder" in page.find("live-error").text


def test_the_knowledge_base_is_shown_once_a_dead_receiver_is_back(page: Page, link: LocalLink) -> None:
    receiver = link.services["receiver"]
    receiver.kill()
    try:
        page.open()
        page.until(lambda: "away" in page.find("service-receiver").get_attribute("aria-label"))
        page.tab("Knowledge base")
        page.find("kb-search")
        assert page.all("kb-item") == []
    finally:
        receiver.start()
        link.wait_ready(["receiver"])
    page.find("kb-item")
    assert "2000 items" in page.until(lambda: page.find("kb-about").text)
