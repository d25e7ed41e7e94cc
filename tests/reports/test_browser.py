"""The page as a browser shows it. Skipped where Playwright or a Chromium is not installed."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecgenough.reports import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Opened]:
    """Open a file in a fresh context; complaints and requests are kept on the page object."""
    contexts = []

    def open_file(path: Path, viewport: dict[str, int] = DESK, **settings: Any) -> Any:
        context = browser.new_context(viewport=viewport, **settings)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def one(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one") / "one.html"
    write_report([shared / "five-classes"], out)
    return out


@pytest.fixture(scope="module")
def three(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("three") / "three.html"
    write_report([shared / name for name in ("scratch", "frozen", "full")], out)
    return out


def test_nothing_is_requested_and_nothing_complains(opened: Opened, one: Path, three: Path, studied: Path) -> None:
    for path in (one, three, studied / "report.html"):
        page = opened(path)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_load_state("networkidle")
        assert page.requests == [path.as_uri()]
        assert page.complaints == []


FIGURES = """() => [...document.querySelectorAll('svg')].map(svg => {
    const box = svg.getBoundingClientRect();
    const marks = [...svg.querySelectorAll('path, circle, rect')].map(m => m.getBoundingClientRect());
    return {label: svg.getAttribute('aria-label'), role: svg.getAttribute('role'), width: box.width,
            height: box.height, drawn: marks.filter(m => m.width + m.height > 1).length};
})"""


def test_every_figure_is_there_has_a_name_and_is_drawn(opened: Opened, one: Path) -> None:
    figures = opened(one).evaluate(FIGURES)
    assert len(figures) == 1 + 4 + 2 + 3  # flow; curves and AUC by class; learning; ECGs
    for figure in figures:
        assert figure["role"] == "img"
        assert len(figure["label"]) > 20
        assert min(figure["width"], figure["height"]) > 100
        assert figure["drawn"] > 5, figure["label"]


def test_every_figure_of_a_study_is_drawn(opened: Opened, studied: Path) -> None:
    figures = opened(studied / "report.html").evaluate(FIGURES)
    starts = (
        "Networks against", "Ways of transfer", "AUC of networks by modes", "ROC: found against", "Precision against",
        "Reliability curves",
        "AUC by number of training ECGs", "AUC on the validation", "Loss on the validation", "AUC against seconds",
        "AUC against parameters", "AUC against operations", "Flow of records",
    )  # fmt: skip
    assert sorted(figure["label"][:12] for figure in figures) == sorted(start[:12] for start in starts)
    for figure in figures:
        assert figure["role"] == "img"
        assert min(figure["width"], figure["height"]) > 100
        assert figure["drawn"] > 4, figure["label"]


def test_a_study_s_table_sorts_by_keyboard_and_says_how(opened: Opened, studied: Path) -> None:
    page = opened(studied / "report.html")
    table = page.locator("table.arms")

    def column(number: int) -> list[str]:
        return table.locator(f"tbody tr > :nth-child({number})").evaluate_all(
            "cells => cells.map(c => c.dataset.value)"
        )

    falling = [float(value) for value in column(3)]
    assert falling == sorted(falling, reverse=True)
    for name, order in (("Brier score", "descending"), ("Brier score", "ascending")):
        button = table.get_by_role("button", name=name)
        button.focus()
        page.keyboard.press("Enter")
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == order
    rising = [float(value) for value in column(7)]
    assert rising == sorted(rising)
    table.get_by_role("button", name="Arm").press("Space")
    assert column(1) == sorted(column(1))


def test_a_study_s_page_is_readable_in_both_themes_and_unfolds_on_paper(opened: Opened, studied: Path) -> None:
    for scheme in ("light", "dark"):
        page = opened(studied / "report.html", color_scheme=scheme)
        assert page.evaluate(LEAST_CONTRAST)["least"] >= 4.5
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(LEAST_CONTRAST)["page"] > 0.9
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.pdf(prefer_css_page_size=True)[:4] == b"%PDF"


def test_a_table_sorts_by_pointer_and_by_keyboard(opened: Opened, one: Path) -> None:
    page = opened(one)
    table = page.locator("table.classes")

    def column(number: int) -> list[str]:
        return table.locator(f"tbody tr > :nth-child({number})").evaluate_all(
            "cells => cells.map(c => c.dataset.value)"
        )

    assert column(1) == ["NORM", "MI", "STTC", "CD", "HYP"]
    heading = table.get_by_role("button", name="AUC")
    heading.click()
    falling = [float(value) for value in column(3)]
    assert falling == sorted(falling, reverse=True)
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    heading.focus()
    page.keyboard.press("Enter")
    assert [float(value) for value in column(3)] == falling[::-1]
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    table.get_by_role("button", name="Class").press("Space")
    assert column(1) == ["CD", "HYP", "MI", "NORM", "STTC"]


LEAST_CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const light = colour => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const linear = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const page = light(getComputedStyle(document.body).backgroundColor);
    const texts = document.querySelectorAll(
        'p, dt, dd, h1, h2, h3, small, caption, th, td, summary, .state, svg.plot text');
    const contrast = [...texts].map(text => light(getComputedStyle(text)[text.closest('svg') ? 'fill' : 'color']))
        .map(ink => (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05));
    return {page, least: Math.min(...contrast)};
}"""


def test_light_and_dark_follow_the_system_and_the_button(opened: Opened, one: Path) -> None:
    light, dark = (opened(one, color_scheme=scheme) for scheme in ("light", "dark"))
    in_light, in_dark = light.evaluate(LEAST_CONTRAST), dark.evaluate(LEAST_CONTRAST)
    assert in_light["page"] > 0.9
    assert in_dark["page"] < 0.05
    assert min(in_light["least"], in_dark["least"]) >= 4.5  # WCAG 2.2, 1.4.3
    button = dark.get_by_role("button", name="Theme")
    button.click()
    assert dark.evaluate(LEAST_CONTRAST)["page"] == in_light["page"]
    button.click()
    assert dark.evaluate(LEAST_CONTRAST)["page"] == in_dark["page"]
    assert button.inner_text() == "Theme: dark"


def test_a_phone_shows_everything_without_moving_the_page_sideways(
    opened: Opened, one: Path, three: Path, studied: Path
) -> None:
    for path in (one, three, studied / "report.html"):
        page = opened(path, viewport=PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        smallest = page.evaluate(
            """() => Math.min(...[...document.querySelectorAll('svg.plot text')].map(text =>
                parseFloat(getComputedStyle(text).fontSize) * text.closest('svg').getScreenCTM().a))"""
        )
        assert smallest >= 9


def test_print_is_light_unfolded_and_draws_ecgs_in_true_millimetres(opened: Opened, one: Path) -> None:
    page = opened(one, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(LEAST_CONTRAST)["page"] > 0.9
    assert not page.locator("nav").is_visible()
    width = page.locator("svg.ecg-paper").first.evaluate("svg => svg.getBoundingClientRect().width")
    assert width == pytest.approx(270 / 25.4 * 96, abs=0.5)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    assert page.pdf(prefer_css_page_size=True)[:4] == b"%PDF"


def test_hostile_names_are_shown_and_do_nothing(opened: Opened, made_run: Callable[..., Path], tmp_path: Path) -> None:
    name = "<script>document.title='owned'</script>"
    folder = made_run(classes=(name, "B"), titles=(name, name), shares=(0.4, 0.3), skill=(1.5, 1.5), records=80)
    write_report([folder], tmp_path / "hostile.html", title="Plain")
    page = opened(tmp_path / "hostile.html")
    assert page.title() == "Plain"
    assert page.locator("th", has_text=name).count() >= 2
    assert page.complaints == []
