"""The HTML report in a real browser: filters, order, details, a hostile guest, the policy, its readers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from fleet.journal import Run
from fleet.model import Outcome, printable
from fleet.report.html import to_html
from tests.report.browser import Page, browser, needs_browser
from tests.report.samples import EVIL_HOST, HARM, fix, hostile, mended, sample
from tests.sweep.runs import DISK, result, sweep_run

pytestmark = needs_browser

PAGES: dict[str, Callable[[], Run]] = {"sample": sample, "hostile": hostile, "fix": lambda: fix(*mended())}


def many_hosts() -> str:
    fine = {f"h{n:04}": [result(f"h{n:04}", "disk-space", Outcome.FAILED, f"{n} left")] for n in range(1000)}
    return to_html(sweep_run(fine, checks=[DISK]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports as files."""
    folder = tmp_path_factory.mktemp("reports")
    for name, run in PAGES.items():
        (folder / f"{name}.html").write_text(to_html(run()), encoding="utf-8", newline="")
    (folder / "many.html").write_text(many_hosts(), encoding="utf-8", newline="")
    return folder


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(started: Page, folder: Path) -> Page:
    """The sample's report, freshly opened."""
    started.open(folder / "sample.html")
    return started


class TestResults:
    def test_begin_with_what_is_left_to_do_the_worst_first(self, page: Page) -> None:
        assert page.rows() == [
            ("web1", "disk-space", "failed"),
            ("old", "disk-space", "unreachable"),
            ("web2", "clock", "failed"),
        ]
        assert page.one("#status").text == "3 of 13 results, on 3 of 5 hosts"

    def test_are_all_shown_on_demand(self, page: Page) -> None:
        page.show_all()
        assert len(page.rows()) == 13
        assert page.one("#status").text == "13 of 13 results, on 5 of 5 hosts"

    @pytest.mark.parametrize(
        ("name", "value", "hosts"),
        [
            ("host", "WEB", {"web1", "web2"}),
            ("zone", "zone-1", {"web1", "db1"}),
            ("state", "not known", {"old"}),
            ("check", "verbose", {"web1", "web2", "db1", "good"}),
            ("severity", "warning", {"web2"}),
            ("outcome", "failed (waived)", {"db1"}),
            ("outcome", "unreachable", {"old"}),
        ],
    )
    def test_are_filtered(self, page: Page, name: str, value: str, hosts: set[str]) -> None:
        page.one("#filter-left").click()
        page.choose(name, value)
        assert {host for host, _, _ in page.rows()} == hosts

    def test_filters_work_together(self, page: Page) -> None:
        page.one("#filter-left").click()
        page.choose("zone", "zone-1")
        page.choose("check", "disk-space")
        assert page.rows() == [("web1", "disk-space", "failed"), ("db1", "disk-space", "failed (waived)")]

    def test_are_sorted_by_a_heading_and_back_by_the_second_click(self, page: Page) -> None:
        heading = page.one("th.host button")
        heading.click()
        assert [host for host, _, _ in page.rows()] == ["old", "web1", "web2"]
        assert page.one("th.host").get_attribute("aria-sort") == "ascending"
        heading.click()
        assert [host for host, _, _ in page.rows()] == ["web2", "web1", "old"]
        assert page.one("th.host").get_attribute("aria-sort") == "descending"

    @pytest.mark.parametrize("key", ["host", "zone", "check", "message"])
    def test_are_sorted_by_texts(self, page: Page, key: str) -> None:
        page.show_all()
        before = page.texts(f"#rows .{key}")
        page.one(f"th.{key} button").click()
        assert page.texts(f"#rows .{key}") == sorted(before) != before

    @pytest.mark.parametrize(
        ("key", "ends"),
        [("severity", ("error", "")), ("outcome", ("✖ failed", "✔ ok")), ("seconds", ("0.20", "0.30"))],
    )
    def test_are_sorted_by_what_a_value_means(self, page: Page, key: str, ends: tuple[str, str]) -> None:
        page.show_all()
        page.one(f"th.{key} button").click()
        shown = page.texts(f"#rows .{key}")
        assert len(shown) == 13
        assert (shown[0], shown[-1]) == ends
        page.one(f"th.{key} button").click()
        shown = page.texts(f"#rows .{key}")
        assert (shown[-1], shown[0]) == ends

    def test_details_unfold(self, page: Page) -> None:
        assert page.texts("#rows dd") == []
        page.one("tr:nth-child(3) summary").click()
        WebDriverWait(page.driver, 5).until(lambda _: page.texts("#rows dd"))
        assert page.texts("#rows dt") == ["waiver expired"]

    def test_of_many_hosts_come_in_portions_and_the_focus_goes_along(
        self, started: Page, folder: Path
    ) -> None:
        started.open(folder / "many.html")
        assert len(started.rows()) == 100
        assert not started.one("#filter-zone").is_displayed(), "no host has one"
        assert "the first 100 are shown" in started.one("#status").text
        started.one("#more").click()
        assert len(started.rows()) == 200

    def test_of_a_fix_have_its_words(self, started: Page, folder: Path) -> None:
        started.open(folder / "fix.html")
        assert [outcome for _, _, outcome in started.rows()] == ["failed", "changed", "ok"]


class TestAHostileGuest:
    @pytest.fixture
    def harmful(self, started: Page, folder: Path) -> Page:
        started.complaints()
        started.open(folder / "hostile.html")
        started.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        WebDriverWait(started.driver, 5).until(lambda _: len(started.texts("#rows dl")) == len(HARM))
        return started

    def test_runs_nothing_and_the_browser_has_nothing_to_complain_of(self, harmful: Page) -> None:
        assert harmful.run("return window.harmed") is None
        assert harmful.complaints() == []
        assert harmful.run("return performance.getEntriesByType('resource').length") == 0

    def test_makes_no_element(self, harmful: Page) -> None:
        assert (
            harmful.run("return document.querySelectorAll('img, b, i, iframe, object, a[href^=java]').length")
            == 0
        )
        assert harmful.run("return document.scripts.length") == 2
        assert len(harmful.texts("h1")) == 1

    def test_is_quoted_word_for_word(self, harmful: Page) -> None:
        shown = [printable(text) for text in HARM]
        assert harmful.texts("#rows summary") == shown
        logs = harmful.run(
            "return [...document.querySelectorAll('#rows dl')].map((each) => each.lastChild.textContent)"
        )
        assert logs == shown
        assert harmful.rows()[0][0] == printable(EVIL_HOST)

    def test_can_not_turn_the_reading_direction(self, harmful: Page) -> None:
        everything = harmful.run("return document.body.innerText")
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f]", everything)


class TestThePolicy:
    """What would happen if a text did become markup after all: nothing."""

    @pytest.mark.parametrize(
        ("attempt", "directive"),
        [
            (
                "document.body.append(Object.assign(document.createElement('style'), {textContent: 'p {}'}))",
                "style",
            ),
            ("document.body.setAttribute('onclick', 'window.harmed = 1')", "script|trusted"),
            ("new Image().src = 'https://example.org/x.png'", "img"),
            ("fetch('https://example.org/').catch(() => 0)", "connect"),
            (
                "document.body.append(Object.assign(document.createElement('iframe'), {src: 'https://example.org/'}))",
                "frame",
            ),
            ("document.body.innerHTML = '<b>harm</b>'", "trusted"),
            ("setTimeout('window.harmed = 1')", "script|trusted"),
        ],
    )
    def test_stops_it(self, page: Page, attempt: str, directive: str) -> None:
        script = """const done = arguments[arguments.length - 1];
            const stop = (event) => done(event.violatedDirective);
            document.addEventListener("securitypolicyviolation", stop, {once: true});
            setTimeout(() => done("nothing was stopped"), 3000);
            try { ATTEMPT } catch (error) { /* the event says what was stopped */ }"""
        stopped = page.driver.execute_async_script(script.replace("ATTEMPT", attempt))
        assert re.search(directive, stopped), stopped
        page.one("h1").click()
        assert page.run("return window.harmed") is None


class TestReaders:
    @pytest.fixture
    def as_seen(self, started: Page) -> Iterator[Callable[[str, int], None]]:
        def see(scheme: str, width: int) -> None:
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            started.emulate("Emulation.setEmulatedMedia", features=features)
            started.emulate(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=900,
                deviceScaleFactor=1,
                mobile=width < 800,
            )

        yield see
        started.emulate("Emulation.setEmulatedMedia", features=[])
        started.emulate("Emulation.clearDeviceMetricsOverride")

    @pytest.mark.parametrize(
        ("name", "scheme", "width"),
        [
            ("hostile", "light", 1200),
            ("sample", "light", 320),
            ("sample", "dark", 1200),
            ("fix", "dark", 320),
        ],
    )
    def test_meet_no_barrier(
        self,
        started: Page,
        folder: Path,
        as_seen: Callable[[str, int], None],
        name: str,
        scheme: str,
        width: int,
    ) -> None:
        as_seen(scheme, width)
        started.open(folder / f"{name}.html")
        started.show_all()
        started.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        WebDriverWait(started.driver, 5).until(lambda _: started.texts("#rows dl"))
        assert started.barriers() == []

    @pytest.mark.parametrize("name", PAGES)
    def test_never_scroll_sideways(
        self, started: Page, folder: Path, as_seen: Callable[[str, int], None], name: str
    ) -> None:
        as_seen("light", 320)
        started.open(folder / f"{name}.html")
        started.show_all()
        assert started.run("return document.documentElement.scrollWidth") <= 320

    def test_reach_everything_by_the_keyboard_and_see_where_they_are(self, page: Page) -> None:
        page.run("document.activeElement.blur()")
        reached: list[str] = []
        for _ in range(60):
            page.driver.switch_to.active_element.send_keys(Keys.TAB)
            said, outline = page.run(
                """const here = document.activeElement;
                return [here.id || here.parentElement.dataset.key || here.textContent.trim(),
                        getComputedStyle(here).outlineStyle]"""
            )
            if page.run("return document.activeElement === document.body"):
                break
            assert outline == "solid", said
            reached.append(said)
        filters = ["host", "state", "zone", "check", "severity", "outcome", "left"]
        headings = ["host", "zone", "check", "severity", "outcome", "message", "seconds"]
        assert reached == [
            "To the results",
            "1 more without anything to do",
            *(f"filter-{name}" for name in filters),
            "show-all",
            *headings,
            "off by 90 s",
        ]

    def test_jump_to_the_results_and_sort_without_a_mouse(self, page: Page) -> None:
        page.run("document.activeElement.blur()")
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        page.driver.switch_to.active_element.send_keys(Keys.ENTER)
        assert page.run("return document.activeElement.id") == "results"
        page.one("th.host button").send_keys(Keys.ENTER)
        assert page.one("th.host").get_attribute("aria-sort") == "ascending"

    def test_without_script_have_the_summary(self, started: Page, folder: Path) -> None:
        started.emulate("Emulation.setScriptExecutionDisabled", value=True)
        try:
            started.driver.get((folder / "sample.html").as_uri())
            seen = started.one("body").text
        finally:
            started.emulate("Emulation.setScriptExecutionDisabled", value=False)
        assert "/var has 3 % free" in seen
        assert "fleet fix disk-full -i prod.yaml -l web1" in seen
        assert "need JavaScript" in seen
        assert "Host contains" not in seen

    def test_on_paper_have_no_controls(self, page: Page) -> None:
        page.emulate("Emulation.setEmulatedMedia", media="print")
        try:
            assert not page.one("#filters").is_displayed()
            assert page.one("#rows").is_displayed()
            page.emulate(
                "Emulation.setDeviceMetricsOverride", width=600, height=900, deviceScaleFactor=1, mobile=False
            )
            assert page.one("#rows tr").value_of_css_property("display") == "table-row"
        finally:
            page.emulate("Emulation.clearDeviceMetricsOverride")
            page.emulate("Emulation.setEmulatedMedia", media="")

    def test_print_everything_that_the_filters_let_through(self, started: Page, folder: Path) -> None:
        started.open(folder / "many.html")
        started.run("window.dispatchEvent(new Event('beforeprint'))")
        assert len(started.rows()) == 1000
