"""A real browser for tests: Debian's Chromium, driven by its own driver; nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REASON = "needs a browser: apt-get install chromium chromium-driver"

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason=REASON),
]
"""Marks for a module: ``pytestmark = needs_browser``."""

FLAGS = (
    "--headless",
    "--no-sandbox",  # root has no other way in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--lang=en-US",
)

WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


class Page:
    """The report in a browser, by the words that its reader sees."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.driver.implicitly_wait(5)

    def open(self, path: Path) -> None:
        """Load a page from the disk and wait until its results are there."""
        self.driver.get(path.as_uri())
        assert self.one("#frame").is_displayed()

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Texts of all that match, hidden or not."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)", selector
        )
        return found

    def rows(self) -> list[tuple[str, str, str]]:
        """Host, check and outcome of the rows on the page."""
        script = """return [...document.querySelectorAll("#rows tr")].map((row) =>
            [row.querySelector(".host").firstChild.textContent, row.querySelector(".check").textContent,
             row.querySelector(".outcome .pill").lastChild.textContent.trim()])"""
        return [(host, check, outcome) for host, check, outcome in self.run(script)]

    def choose(self, name: str, value: str) -> None:
        """Set one of the filters as its reader would."""
        field = self.one(f"#filter-{name}")
        if field.tag_name == "select":
            field.find_element(By.CSS_SELECTOR, f'option[value="{value}"]').click()
        else:
            field.clear()
            field.send_keys(value)

    def show_all(self) -> None:
        """Take every filter back."""
        self.one("#show-all").click()

    def complaints(self) -> list[str]:
        """What the browser's console holds since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def emulate(self, command: str, **parameters: Any) -> None:
        """A command of the browser's own protocol, like ``Emulation.setEmulatedMedia``."""
        self.driver.execute_cdp_cmd(command, parameters)

    def barriers(self) -> list[str]:
        """What axe finds against WCAG 2.1 AA on the page as it is now."""
        axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
        self.run(axe)
        script = """const done = arguments[arguments.length - 1];
            axe.run(document, {runOnly: {type: "tag", values: arguments[0]}})
               .then(done, (error) => done(String(error)));"""
        found = self.driver.execute_async_script(script, WCAG_AA)
        assert isinstance(found, dict), found
        assert found["passes"], "axe has looked at nothing"
        return [
            f"{each['id']}: {node['html']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A browser without history, settings or network of its own; gone afterwards."""
    options = webdriver.ChromeOptions()
    assert CHROMIUM is not None
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={folder}", "--window-size=1200,1400"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Page(driver)
    finally:
        driver.quit()
