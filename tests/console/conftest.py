"""A console of the running link, and a browser. Both are skipped, with the reason, where they are not installed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.evaluate.table import Row, write_table
from local.supervisor import LocalLink
from shared.datasets.decoding import encode_png
from tests.tools.paths import ROOT

_ALL = "\ue009a\ue000"
"""Control and A: all that a field holds is chosen, and what is typed replaces it."""
_CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
"""Chromium plays a picture of its own in the place of a camera."""


class Page:
    """The page in the browser. `find` waits for the part of a name."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.address = driver, address

    def open(self, path: str = "/") -> None:
        self.driver.get(self.address + path)
        self.find("send")

    def all(self, name: str) -> list[Any]:
        return self.driver.find_elements("css selector", f"[data-testid={name}]")

    def find(self, name: str) -> Any:
        return self.until(lambda: next((part for part in self.all(name) if part.is_displayed()), None))

    def until(self, look: Callable[[], Any], seconds: float = 60.0) -> Any:
        """What `look` gives once it is true; a part that is drawn anew meanwhile is looked for again."""
        stale = pytest.importorskip("selenium.common.exceptions").StaleElementReferenceException
        wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait(self.driver, seconds, 0.1, [stale])
        return wait.until(lambda _: look())

    def press(self, part: Any) -> None:
        """Click where a tooltip or a badge may lie above."""
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", part)

    def type(self, name: str, text: str) -> None:
        """Fill in a field, and leave it; again, should something take the keyboard meanwhile."""
        part = self.find(name)
        field = part if part.tag_name == "input" else part.find_element("css selector", "input")

        def holds() -> bool:
            field.send_keys(_ALL + text + "\t")
            return bool(field.get_property("value") == text)

        self.until(holds)

    def tab(self, name: str) -> None:
        self.press(self.until(lambda: self.driver.find_element("xpath", f"//div[@role='tab'][contains(., '{name}')]")))

    def send(self) -> str:
        """Press Send; the verdict, or the error."""
        return self._answer_to("send", ("error", "verdict"))

    def ask(self) -> str:
        """Press Ask; the error, or the receiver's answer."""
        return self._answer_to("ask", ("ask-error", "ask-answer"))

    def _answer_to(self, button: str, parts: Sequence[str]) -> str:
        before = self.find(button).get_attribute("data-answers")
        self.press(self.until(lambda: self.find(button).is_enabled() and self.find(button)))
        self.until(lambda: self.find(button).get_attribute("data-answers") != before)
        return str(self.until(lambda: next((p.text for name in parts for p in self.all(name) if p.text), None)))


@pytest.fixture
def _no_errors_in_the_browser(page: Page) -> Iterator[None]:
    """A test of the page fails where the browser's console tells an error."""
    yield
    severe = [line for line in page.driver.get_log("browser") if line["level"] == "SEVERE"]
    assert severe == []


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `semlink evaluate` writes it, of two schemes at two SNRs, with a figure."""
    folder = tmp_path_factory.mktemp("results") / "small"
    (folder / "figures").mkdir(parents=True)
    rows = [
        Row(name, 64, 0.002, 0.003, "none", "none", "", snr_db, 200, accuracy)
        for name, snr_db, accuracy in (
            ("nested", -4.0, 0.6), ("nested", 5.0, 0.9), ("raw", -4.0, 0.2), ("raw", 5.0, 0.7),
        )
    ]  # fmt: skip
    write_table(rows, folder)
    reference = {"scenario": "small", "command": "semlink evaluate small.toml --data drawn --no-limit"}
    (folder / "reference.json").write_text(json.dumps(reference), encoding="utf-8")
    (folder / "figures" / "accuracy.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    return folder.parent


@pytest.fixture(scope="module")
def console(link: LocalLink, results: Path) -> Iterator[str]:
    """The address of a console."""
    pytest.importorskip("nicegui", reason="no NiceGUI here: pip install 'semlink[console]'")
    at = {"transmitter": link.transmitter, "channel": link.channel, "receiver": link.receiver}
    flags = [part for name, address in at.items() for part in (f"--{name}", address)]
    flags += ["--results", str(results)]
    command = [sys.executable, "-m", "semlink", "console", "--port", "0", "--no-open", *flags]
    # NiceGUI behaves otherwise where it believes that it is tested by itself.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stderr.read()
        yield found[0]
        process.terminate()


@pytest.fixture(scope="module")
def page(console: str) -> Iterator[Page]:
    """A page in a real browser."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no Selenium here: pip install selenium")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no browser here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1500", *_CAMERA):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    with webdriver.Chrome(options=options, service=service) as running:
        yield Page(running, console)
