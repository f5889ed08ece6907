"""The console without a mouse: every control is reached by Tab, says its name, and shows that it has the focus."""

from typing import Any

import pytest

from tests.console.conftest import Page

pytestmark = pytest.mark.usefixtures("_no_errors_in_the_browser")

TAB, ENTER, SPACE, RIGHT = "\ue004", "\ue007", " ", "\ue014"
_FOCUSED = """
const one = document.activeElement, shown = one.closest('.q-field')?.querySelector('.q-field__control') ?? one;
return [one.id || one.outerHTML.slice(0, 200), getComputedStyle(shown).outlineWidth, one.tagName];
"""
_ROLES = {"button", "textbox", "combobox", "slider", "switch", "checkbox", "spinbutton", "link", "tab", "progressbar"}
_MOST = 60


def _send(page: Page, key: str) -> None:
    webdriver = pytest.importorskip("selenium.webdriver")
    webdriver.ActionChains(page.driver).send_keys(key).perform()


def _unnamed(page: Page) -> list[str]:
    """Roles of what a screen reader would find without a name."""
    tree: Any = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    shown = [node for node in tree if not node.get("ignored")]
    roles = [(node["role"]["value"], node.get("name", {}).get("value", "").strip()) for node in shown if "role" in node]
    assert _ROLES & {role for role, _ in roles}
    return [role for role, name in roles if role in _ROLES and not name]


@pytest.mark.parametrize(
    ("tab", "part"),
    [
        ("Send", "send"),
        ("Live", "live-start"),
        ("Compare", "compare-start"),
        ("Knowledge base", "kb-item"),
        ("Ask", "ask"),
        ("Results", "results-rows"),
    ],
)
def test_every_control_is_reached_shows_its_focus_and_has_a_name(page: Page, tab: str, part: str) -> None:
    page.open()
    page.tab(tab)
    wanted = page.find(part)
    page.driver.execute_script("document.activeElement.blur()")
    reached, inside = [], False
    for _ in range(_MOST):
        _send(page, TAB)
        name, outline, tag = page.driver.execute_script(_FOCUSED)
        if tag == "BODY" or inside:
            break
        reached.append((name, outline))
        inside = page.driver.execute_script("return arguments[0].contains(document.activeElement)", wanted)
    assert inside, reached
    assert [name for name, outline in reached if outline == "0px"] == []
    assert _unnamed(page) == []


def test_enter_sends_and_arrows_turn_the_tabs(page: Page) -> None:
    page.open()
    page.driver.execute_script("document.querySelector('[data-testid=drawn-5]').focus()")
    _send(page, SPACE)
    page.until(lambda: page.find("chosen").text == "blue-circle.png")
    page.driver.execute_script("arguments[0].focus()", page.find("send"))
    _send(page, ENTER)
    page.until(lambda: page.find("send").get_attribute("data-answers"))
    assert page.find("verdict").text
    page.driver.execute_script("document.querySelector('[role=tab]').focus()")
    _send(page, RIGHT)
    _send(page, ENTER)
    page.find("live-start")


def test_the_chooser_of_files_opens_by_enter(page: Page) -> None:
    page.open()
    page.driver.execute_script(
        "window.opened = 0; const chooser = document.querySelector('.semlink-upload input[type=file]');"
        "chooser.addEventListener('click', event => { window.opened++; event.preventDefault(); });"
        "chooser.closest('a').focus()"
    )
    _send(page, ENTER)
    page.until(lambda: page.driver.execute_script("return window.opened") == 1)
    name = page.driver.execute_script("return document.activeElement.getAttribute('aria-label')")
    assert name == "Drop, paste or choose a picture"
