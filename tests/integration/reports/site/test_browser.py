"""Clicks through the site as a reader would, from a file and with no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.model.outcome import DefectRef
from conformance.oracle.derived import derived
from conformance.reports.merge import merge
from conformance.reports.site.build import write_site
from conformance.repro.script import Reproducer
from tests.support import benchmarks as synthetic
from tests.support.outcomes import HOSTILE, outcome, record, run, saying
from tests.support.site.browser import launched, missing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing()), reason=f"needs a browser: {missing()}"),
]

CASE = "two-equal-logits-at-1e8"
SCRIPT = "import optax\nprint(optax.__version__)\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    wrong = {"verdict": "fail", "class_": "C", "observed": 0.0, "expected": 0.6931471805599453, "ulp": 1.2e7}
    rows = [
        outcome(CASE, "optax", **saying("0 instead of 0.693: class C, declared B"), **wrong),
        outcome(CASE, "torch"),
        outcome(CASE, "torch", check="shift", class_=None),
        outcome("mean-of-nothing", "torch", theme="reductions", verdict="deviation", **saying("as declared")),
        outcome(HOSTILE, "torch", theme=HOSTILE, verdict="error", **saying(HOSTILE)),
        outcome("gap-of-3-at-1e4", "optax", verdict="unsupported", **saying("no such thing"), class_=None),
        *(
            outcome(f"many-{i:03}", "torch", theme="widths", verdict="known", **saying(f"number {i}"))
            for i in range(250)
        ),
    ]
    made = run(folder / "run", rows, backends=[record(name, profile=name) for name in ("optax", "torch")])
    synthetic.write(made, workloads={"w": (64, 1000)}, rounds=3)
    return write_site(merge([made]), folder / "site", reproduce=lambda *_: Reproducer(SCRIPT), derive=derived).parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that may ask for nothing but files, and say nothing on its console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    opened.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None)
    yield opened
    context.close()
    assert said == []


def test_the_pictures_of_the_times_are_there(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/benchmarks.html")
    page.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager'; })")
    widths = page.evaluate("Promise.all([...document.images].map(each => each.decode().then(() => each.naturalWidth)))")
    assert len(widths) >= 4 and min(widths) > 100


def test_on_paper_no_column_of_the_times_is_cut_off(page: Any, site: Path) -> None:
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 between its margins
    page.emulate_media(media="print")
    page.goto(f"file://{site}/benchmarks.html")
    ends = page.evaluate("[...document.querySelectorAll('.times')].map(each => each.getBoundingClientRect().right)")
    assert ends and max(ends) <= 718


def test_on_a_phone_what_failed_is_read_without_scrolling(page: Any, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"file://{site}/backends/optax-1.0.html")
    said = page.get_by_text("0 instead of 0.693", exact=False).first.bounding_box()
    assert said["x"] >= 0 and said["x"] + said["width"] <= 390


def test_on_a_phone_a_scrolled_table_keeps_the_names_of_its_rows(page: Any, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    for name in ("stability", "accuracy", "agreement"):
        page.goto(f"file://{site}/{name}.html")
        left = page.evaluate("""() => {
            const table = document.querySelector(".scroll"), row = table.querySelector("th[scope=row]");
            table.scrollLeft = 200;
            return [table.getBoundingClientRect().left, row.getBoundingClientRect().left];
        }""")
        assert left[0] == pytest.approx(left[1], abs=2), name


def test_every_page_leads_to_the_same_pages(page: Any, site: Path) -> None:
    """Those in a folder name two, and the script adds the others."""
    named = []
    for name in ("index", "backends/optax-1.0", f"cases/{CASE}"):
        page.goto(f"file://{site}/{name}.html")
        named.append(page.locator(".top nav a").all_inner_texts())
    assert named[0] == named[1] == named[2] and {"Modes", "Versions"} < {*named[0]}


def test_on_paper_no_table_of_many_backends_is_cut_off(page: Any, tmp_path: Path) -> None:
    found = [outcome("two-equal-logits-at-1e8", f"backend-{n}") for n in range(9)]
    found += [outcome("c", f"backend-{n}", verdict="known", defect=DefectRef("d", "i")) for n in range(9)]
    made = write_site(merge([run(tmp_path / "run", found)]), tmp_path / "site").parent
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    for name in ("index", "agreement", "accuracy", "stability", "cases/two-equal-logits-at-1e8", "cases/c", "runs"):
        page.goto(f"file://{made}/{name}.html")
        ends = page.evaluate("[...document.querySelectorAll('table')].map(each => each.getBoundingClientRect().right)")
        assert ends and max(ends) <= 718, name


#: Tables that end behind the edge of their window, but for those with a column of each backend, and those of times.
CUT_OFF = """[...document.querySelectorAll(".scroll:not(:has(.matrix, .semantics, .stable, .heat, .gave, .times))")]
    .filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.ariaLabel)"""


def test_no_column_lies_outside_the_window_beside_long_names(page: Any, site: Path, tmp_path: Path) -> None:
    case = "transformed.unnormalised.wide.float16.mean.weighted.tenth.second-backward"
    long = {"observed": -1.2345678901234567e-101, "expected": [["a", "word"]] * 9, "ulp": 1.2345e201, "class_": "F"}
    backend, verdicts = "kernels.py:Fused:other", ("fail", "unreproduced", "known", "deviation", "unsupported")
    rows = [
        outcome(f"{case}-{each}", backend, verdict=each, **saying("far from it " * 20), **long) for each in verdicts
    ]
    rows.append(outcome(f"{case}-of-the-worst-error", backend, op="nll_loss_of_log_softmax", ulp=1.2e201))
    made = write_site(merge([run(tmp_path / "run", rows)]), tmp_path / "site").parent
    files = [site / name for name in names(site)]
    for file in [*files, *made.glob("*.html"), *made.glob("backends/*.html")]:
        page.goto(file.as_uri())
        assert page.evaluate(CUT_OFF) == [], file


def test_the_semantics_can_be_narrowed_to_differences(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/semantics.html")
    rows = page.locator(".semantics tbody tr:visible")
    every = rows.count()
    page.get_by_label("Differences only").check()
    assert rows.count() == page.locator("tr[data-differs]").count() < every
    page.get_by_label("Differences only").uncheck()
    assert rows.count() == every


def count(page: Any) -> int:
    found = re.match(r"([\d,]+) checks?", page.locator("#count").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def test_from_the_overview_to_a_reproducer_in_three_clicks(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/index.html")
    page.locator("td[id='c-optax-1.0--stability'] a").click()
    assert page.url.endswith("#c-optax-1.0--stability")
    page.locator("#findings tbody tr").first.get_by_role("link", name=CASE).click()
    assert page.url.endswith(f"{CASE}.html#b-optax-1.0")
    article = page.locator("article[id='b-optax-1.0']")
    button = article.get_by_role("button", name="Copy the reproducer for optax 1.0")
    button.click()
    article.locator("button", has_text="Copied").first.wait_for()  # a predicate in JavaScript may need eval
    assert page.evaluate("navigator.clipboard.readText()") == SCRIPT


def test_filter_and_search(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/index.html")
    assert count(page) == 254
    page.get_by_label("Verdict").select_option(label="fail")
    assert count(page) == 1
    page.get_by_role("button", name="Clear").click()
    page.locator("#count", has_text="254").wait_for()
    page.get_by_role("searchbox", name="Search").fill("many-017 Widths")
    assert count(page) == 1
    address = page.url
    page.get_by_role("searchbox", name="Search").fill("nothing has this")
    assert "No finding fits" in page.locator("#count").inner_text()
    page.goto("about:blank")
    page.goto(address)
    assert page.locator("#findings tbody tr").count() == 1
    assert "many-017" in page.locator("#findings tbody").inner_text()


def test_pages_of_findings_and_sorting_by_keyboard(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/index.html")
    assert page.locator("#findings tbody tr").count() == 100
    page.get_by_role("button", name="Next").click()
    assert "page 2 of 3" in page.locator("#page").inner_text()
    head = page.locator("#findings th[data-key='2'] button")
    head.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.locator("#findings th[data-key='2']").get_attribute("aria-sort") == "descending"
    assert "two-equal-logits" in page.locator("#findings tbody tr").first.inner_text()


def test_an_address_names_a_cell(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/index.html#c-torch-1.0--widths")
    assert count(page) == 250
    page.goto(f"file://{site}/index.html#backend=optax-1.0&verdict=unsupported")
    page.reload()
    assert "gap-of-3-at-1e4" in page.locator("#findings tbody").inner_text()


def test_the_theme_is_switched_and_kept(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/index.html")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch to the dark theme").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.goto(f"file://{site}/cases/{CASE}.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_the_list_of_cases_is_searched(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/cases.html")
    page.get_by_role("searchbox").fill("deviation")
    assert page.get_by_role("status").inner_text() == "1 case"
    assert page.locator("tbody tr:visible").count() == 1


def test_the_first_key_skips_to_the_content(page: Any, site: Path) -> None:
    page.goto(f"file://{site}/stability.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def names(site: Path) -> list[str]:
    hostile = next(each.stem for each in (site / "cases").glob("script-script*.html"))
    return [
        *sorted(each.name for each in site.glob("*.html")),
        "backends/torch-1.0.html",
        f"cases/{CASE}.html",
        f"cases/{hostile}.html",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility(page: Any, site: Path, theme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # Styles need not be fetched again, which the page's own policy forbids; in the dark only colours differ.
    options: dict[str, Any] = {"preload": False, "resultTypes": ["violations"]}
    if theme == "dark":
        options["runOnly"] = ["color-contrast"]
    page.emulate_media(color_scheme=theme)
    pages = (
        names(site) if theme == "light" else ["index.html", "semantics.html", "agreement.html", f"cases/{CASE}.html"]
    )
    for name in pages:
        page.goto(f"file://{site}/{name}")
        faults = [
            (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
            for each in Axe().run(page, options=options).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert faults == [], (name, theme)


def test_no_page_is_wider_than_a_narrow_screen(page: Any, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for name in names(site):
        page.goto(f"file://{site}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_pictures_are_dark_on_dark_pages(page: Any, site: Path) -> None:
    page.goto((site / "benchmarks.html").as_uri())
    shown = "getComputedStyle(document.querySelector('figure img')).filter"
    assert page.evaluate(shown) == "none"
    page.click("#theme")
    assert "invert" in page.evaluate(shown)


def test_on_a_narrow_page_no_text_scrolls_under_the_copy_button(page: Any, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto((site / "cases" / f"{CASE}.html").as_uri())
    button, text = page.locator(".copy button").first.bounding_box(), page.locator(".copy pre").first.bounding_box()
    assert button["y"] + button["height"] <= text["y"] and text["x"] + text["width"] <= 390
