"""The page of the service as a browser shows it. Skipped where Playwright or a Chromium is not installed."""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.broken import ENDINGS
from benchmarks.samples import WRITERS, sample
from numpy.typing import NDArray
from scipy.signal import bilinear, butter, sosfiltfilt, tf2sos
from tests.serving.conftest import make, make_trees, served
from tests.serving.pdf import drawn

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.serving import service
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
sync_api.expect.set_options(timeout=30_000)  # a busy machine takes longer than its five seconds
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MM = 96 / 25.4  # pixels of the style sheet (CSS Values and Units, absolute lengths)
RATE = 500
Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A running service of a small model."""
    door, _ = build_app(make(), "small", Limits(readers=1, upload=2**20))
    with served(door) as address:
        yield address


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Opened]:
    """The page in a fresh context. At the end nothing may have complained or gone elsewhere."""
    pages = []

    def open_page(viewport: dict[str, int] = DESK, **settings: Any) -> Any:
        page = browser.new_context(viewport=viewport, **settings).new_page()
        page.set_default_timeout(30_000)
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(address)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
        # Chromium itself notes an answer of 4xx; the page says the service's sentence
        assert [line for line in page.complaints if not line.startswith("Failed to load resource")] == []
        assert [url for url in page.requests if not url.startswith((address, f"blob:{address}"))] == []


@pytest.fixture(scope="module")
def spikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of silence but for lead II: 1.5 mV at 1.0 s and at 1.8 s; V6 is not there."""
    signal = np.zeros((11, 10 * RATE))
    signal[1, [RATE, 9 * RATE // 5]] = 1.5
    return write(tmp_path_factory.mktemp("spikes") / "spikes.npz", signal)


def write(path: Path, signal: NDArray[np.float64]) -> Path:
    np.savez_compressed(path, signal=signal, rate=RATE, unit="mV", leads=STANDARD_LEADS[: len(signal)])
    return path


def show(page: Any, *files: Path) -> None:
    page.set_input_files("#files", files)
    page.wait_for_selector("#papers svg")
    sync_api.expect(page.locator("#status")).to_have_text(re.compile("read"))


def box(page: Any, selector: str) -> dict[str, float]:
    found: dict[str, float] = page.locator(selector).first.evaluate(
        "e => { const b = e.getBoundingClientRect(); return {x: b.x, y: b.y, width: b.width, height: b.height}; }"
    )
    return found


def peaks(page: Any) -> list[tuple[float, float]]:
    """Where on the screen the tips of lead II's spikes are, and the baseline below the first."""
    found: list[tuple[float, float]] = page.evaluate(
        """() => {
          const path = document.querySelector('#papers path[data-lead="II"]');
          const points = [...path.getAttribute('d').matchAll(/[ML]([\\d.]+) ([\\d.]+)/g)].map(m => [+m[1], +m[2]]);
          const top = Math.min(...points.map(p => p[1]));
          const tips = points.filter(p => p[1] === top);
          return [...tips, [tips[0][0], points[0][1]]].map(([x, y]) => {
            const at = new DOMPoint(x, y).matrixTransform(path.getScreenCTM()); return [at.x, at.y]; });
        }"""
    )
    return found


def test_every_format_is_drawn(opened: Opened, tmp_path: Path) -> None:
    page = opened()
    for name in WRITERS:
        path = tmp_path / f"{name}.{ENDINGS[name]}"
        path.write_bytes(sample(name, 5 * RATE)[0])
        page.set_input_files("#files", path)
        sync_api.expect(page.locator("#recording option").last).to_have_text(path.name)
        assert page.locator("#error").inner_text() == ""
        assert page.locator("#about").inner_text().startswith(f"{path.name} · 2020-05-04 06:07:08 · ")
        assert page.locator("#papers path[data-lead]").count() == 13
    page.click("#table summary")
    page.fill("[name=rate]", str(RATE))
    page.select_option("[name=unit]", "uV")
    page.fill("[name=leads]", ",".join(STANDARD_LEADS))
    page.select_option("[name=orientation]", "samples-by-leads")
    page.fill("[name=skip_rows]", "1")
    page.fill("[name=skip_columns]", "2")
    values = np.random.default_rng(0).normal(0, 100, (5 * RATE, 14))
    np.savetxt(tmp_path / "table.csv", values, delimiter=",", header="day,sample," + ",".join(STANDARD_LEADS))
    page.set_input_files("#files", tmp_path / "table.csv")
    sync_api.expect(page.locator("#recording option").last).to_have_text("table.csv")
    assert page.locator("#recording option").count() == len(WRITERS) + 1


def test_an_upload_is_drawn_measured_and_judged(opened: Opened, simulated: Path) -> None:
    page = opened()
    header = sorted((simulated / "superclasses").rglob("*.hea"))[0]
    show(page, header, header.with_suffix(".dat"))
    assert page.locator("#recording option").all_inner_texts() == [header.name]
    assert page.locator("#papers path[data-lead]").count() == 13
    assert len(page.locator("#papers path[data-lead]").first.get_attribute("d")) > 1000
    rows = page.locator("#findings tbody tr").all_inner_texts()
    assert len(rows) == 3
    assert any(row.startswith("myocardial infarction") and "%" in row for row in rows)
    rate = page.locator("#measurements dd").first.inner_text()
    assert 20 < float(rate.split()[0]) < 250
    assert "computed" in page.locator("#measured-title").inner_text()
    assert "Not a medical device" in page.locator("header").inner_text()


@pytest.mark.parametrize(("viewport", "dots"), [(DESK, 1), (DESK, 2), (PHONE, 3)])
def test_a_millimetre_is_one_whatever_the_screen(
    opened: Opened, spikes: Path, viewport: dict[str, int], dots: int
) -> None:
    page = opened(viewport, device_scale_factor=dots)
    show(page, spikes)
    for speed, gain in (("25", "10"), ("50", "20"), ("25", "5")):
        page.select_option("#speed", speed)
        page.select_option("#gain", gain)
        pulse = box(page, "#papers .pulse")
        assert pulse["height"] == pytest.approx(int(gain) * MM, abs=0.1)
        assert pulse["width"] == pytest.approx((0.2 * int(speed) + 2) * MM, abs=0.1)  # 0.2 s and its two feet
        (one, height), (other, _), (_, baseline) = peaks(page)
        assert other - one == pytest.approx(0.8 * int(speed) * MM, abs=0.1)
        assert baseline - height == pytest.approx(1.5 * int(gain) * MM, abs=0.1)
        assert f"{speed} mm/s · {gain} mm/mV" in page.locator("#papers .foot").text_content()
    page.set_viewport_size({"width": 700, "height": 500})
    assert box(page, "#papers .pulse")["height"] == pytest.approx(5 * MM, abs=0.1)


def test_a_calibrated_screen_is_remembered(opened: Opened, spikes: Path) -> None:
    page = opened()
    show(page, spikes)
    page.click(".screen summary")
    page.locator("#screen").fill("120")
    assert box(page, "#card")["width"] == pytest.approx(1.2 * 85.6 * MM, abs=0.1)
    page.reload()
    show(page, spikes)
    assert box(page, "#papers .pulse")["height"] == pytest.approx(1.2 * 10 * MM, abs=0.1)


def test_calipers_measure_a_known_interval_by_mouse_and_by_keys(opened: Opened, spikes: Path) -> None:
    page = opened()
    show(page, spikes)
    page.select_option("#layout", "single")
    page.check("#calipers")
    page.locator("#papers").scroll_into_view_if_needed()
    (one, tip), (other, _), (_, baseline) = peaks(page)
    page.mouse.move(one, baseline)
    page.mouse.down()
    page.mouse.move(other, tip, steps=4)
    page.mouse.up()
    time_ms, rate, voltage = page.locator("#measured").inner_text().split(" · ")
    assert float(time_ms.split()[0]) == pytest.approx(800, abs=11)  # a pixel is 10.6 ms
    assert float(rate.split()[0]) == pytest.approx(75, abs=1)
    assert float(voltage.split()[0]) == pytest.approx(1.5, abs=0.03)
    before = float(time_ms.split()[0])
    line = page.get_by_role("slider", name="Time line 2")
    line.focus()
    page.keyboard.press("Shift+ArrowRight")  # 5 mm, 200 ms
    assert float(page.locator("#measured").inner_text().split()[0]) == pytest.approx(before + 200, abs=1)
    assert "ms" in line.get_attribute("aria-valuetext")


def test_calipers_measure_by_touch(opened: Opened, spikes: Path) -> None:
    page = opened(PHONE, has_touch=True, is_mobile=True)
    show(page, spikes)
    page.check("#calipers")
    page.locator("#papers svg").scroll_into_view_if_needed()
    start = box(page, "#papers svg")
    x, y = start["x"] + 10 * MM, start["y"] + 30 * MM
    touch = page.context.new_cdp_session(page)
    for kind, across in (("touchStart", 0.0), ("touchMove", 10 * MM), ("touchMove", 20 * MM)):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x + across, "y": y}]})
        page.wait_for_timeout(50)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(100)
    assert float(page.locator("#measured").inner_text().split()[0]) == pytest.approx(800, abs=12)


@pytest.mark.parametrize(
    ("layout", "drawn", "shown"), [("3x4+1", 12, 2.5), ("6x2", 11, 5), ("12x1", 11, 10), ("single", 1, 10)]
)
def test_layouts_show_each_lead_for_its_time(
    opened: Opened, spikes: Path, layout: str, drawn: int, shown: float
) -> None:
    page = opened()
    show(page, spikes)
    page.select_option("#layout", layout)
    leads = page.locator("#papers path[data-lead]").evaluate_all("all => all.map(e => e.dataset.lead)")
    assert leads[0] == ("II" if layout == "single" else "I")
    assert len(leads) == drawn
    assert set(leads) == ({"II"} if layout == "single" else set(STANDARD_LEADS[:11]))
    assert box(page, f"#papers path[data-lead={leads[0]}]")["width"] == pytest.approx(shown * 25 * MM, abs=0.2)
    assert ("V6 not recorded" in page.locator("#papers svg").text_content()) == (layout in ("3x4+1", "6x2"))


def test_everything_by_keyboard(opened: Opened) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert "Skip" in page.evaluate("document.activeElement.textContent")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "example":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#papers svg")
    seen = set()
    for _ in range(34):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id"))
    wanted = {"recording", "layout", "lead", "speed", "gain", "highpass", "notch", "raw", "zoom-in", "calipers", "png"}
    wanted |= {"other", "explain", "statement", "method", "print", "json"}
    assert wanted <= seen
    page.locator("#papers .scroll").focus()
    page.keyboard.press("+")
    assert "zoom 1.5 ×: not to scale" in page.locator("#scale").inner_text()
    page.keyboard.press("0")
    assert "zoom" not in page.locator("#scale").inner_text()
    page.get_by_role("button", name="Lead V2").focus()
    page.keyboard.press("Enter")
    assert page.locator("#papers path[data-lead]").count() == 1
    assert page.evaluate("document.activeElement.dataset.lead") == "V2"
    page.keyboard.press("Enter")
    assert page.locator("#papers path[data-lead]").count() == 13


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("page.dcm", b"<!doctype html><html></html>", "page.dcm"),
        ("corrupt.npz", b"PK\x03\x04" + bytes(200), "corrupt.npz"),
        ("large.dat", bytes(2**20 + 1), "1 MiB at most"),
    ],
)
def test_an_error_is_the_service_s_sentence(
    opened: Opened, spikes: Path, name: str, content: bytes, sentence: str
) -> None:
    page = opened()
    show(page, spikes)
    page.set_input_files("#files", {"name": name, "mimeType": "application/octet-stream", "buffer": content})
    sync_api.expect(page.locator("#error")).to_contain_text(sentence)
    assert page.locator("#error").get_attribute("role") == "alert"
    assert page.locator("#papers svg").count() == 1  # what was there stays


def test_two_ecgs_beside_each_other_and_no_page_wider_than_a_phone(
    opened: Opened, spikes: Path, tmp_path: Path
) -> None:
    page = opened(PHONE)
    other = write(tmp_path / "other.npz", np.random.default_rng(1).normal(0, 0.1, (12, 4 * RATE)))
    show(page, spikes, other)
    page.select_option("#other", label="other.npz")
    assert page.locator("#papers svg").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("#papers .scroll").first.evaluate("e => e.scrollWidth > e.clientWidth")  # pans within


def test_one_hundred_megabytes_are_refused_at_once(opened: Opened, tmp_path: Path) -> None:
    page = opened()
    with (tmp_path / "holter.dcm").open("wb") as file:
        file.truncate(100 * 2**20)
    page.set_input_files("#files", tmp_path / "holter.dcm")
    sync_api.expect(page.locator("#error")).to_contain_text("1 MiB at most", timeout=60_000)


@pytest.fixture(scope="module")
def slow_and_fast(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Triangles of 40 ms in lead II: 1.0 mV every 1.0 s from 0.7 s on, and 2.0 mV every 0.8 s from 0.5 s on."""
    folder = tmp_path_factory.mktemp("two")
    return [beating(folder / "slow.npz", 1.0, 0.7, 1.0), beating(folder / "fast.npz", 0.8, 0.5, 2.0)]


def beating(path: Path, every: float, first: float, height: float, seconds: int = 10) -> Path:
    times, signal = np.arange(seconds * RATE) / RATE, np.zeros((12, seconds * RATE))
    from_r = np.abs((times - first + every / 2) % every - every / 2)
    signal[1] = height * np.clip(1 - from_r / 0.02, 0, None)
    return write(path, signal)


def test_two_ecgs_are_compared_in_numbers_and_over_each_other_at_r(opened: Opened, slow_and_fast: list[Path]) -> None:
    page = opened()
    show(page, *slow_and_fast)
    page.select_option("#other", label="fast.npz")
    rate = page.locator("#measurements tbody tr").first.locator("th, td").all_inner_texts()
    assert rate == ["Rate, bpm", "60", "75", "+15"]
    heads = page.locator("#findings thead th").all_inner_texts()
    assert heads == ["Statement", "slow.npz", "fast.npz", "Threshold", "Call"]
    page.select_option("#layout", "single")
    assert page.locator("#papers svg").count() == 2
    page.check("#together")
    assert page.locator("#papers svg").count() == 1
    first, second = (tips(page, path) for path in ("path.trace:not(.second)[data-lead]", "path.second"))
    assert first[0][0] == pytest.approx(15 + 0.7 * 25, abs=0.06)  # mm; a sample is 0.05
    assert second[0][0] == pytest.approx(first[0][0], abs=0.06)
    assert second[1][0] - second[0][0] == pytest.approx(0.8 * 25, abs=0.06)
    assert first[0][1] - second[0][1] == pytest.approx(10, abs=0.1)  # 1 mV more
    page.select_option("#layout", "beats")
    assert [len(tips(page, f"path.{kind}[data-lead=II]")) for kind in ("trace:not(.second)", "second")] == [1, 1]
    assert "median beats, aligned at R" in page.locator("#papers .foot").text_content()


def test_a_negative_figure_has_a_minus_sign(opened: Opened) -> None:
    said = opened().evaluate(
        """async () => {
          const { measurements } = await import('/page/findings.js');
          const of = (axis) => ({ecg: {file: 'a', measurements: {axis}}});
          return [[of(-150)], [of(170), of(-160)], [of(-160), of(170)]].map((shown) => measurements(shown).textContent);
        }"""
    )
    assert [text.split("Axis")[1] for text in said] == ["−150 °", ", °170−160+30", ", °−160170−30"]


def tips(page: Any, path: str) -> list[list[float]]:
    """The highest points of a path, in mm on the paper."""
    found: list[list[float]] = page.locator(f"#papers {path}").first.evaluate(
        """path => {
          const points = [...path.getAttribute('d').matchAll(/[ML]([\\d.]+) ([\\d.]+)/g)].map(m => [+m[1], +m[2]]);
          const top = Math.min(...points.map(p => p[1]));
          return points.filter((p, i) => p[1] < top + 0.3 && p[1] <= (points[i - 1] ?? p)[1] && p[1] < (points[i + 1] ?? p)[1]);
        }"""
    )
    return found


def test_beats_that_cannot_be_found_are_not_laid_over_others(opened: Opened, spikes: Path) -> None:
    page = opened()
    show(page, spikes)
    page.select_option("#layout", "beats")
    assert page.locator("#error").inner_text().startswith("No beat was found in spikes.npz")
    page.select_option("#layout", "6x2")
    assert page.locator("#error").inner_text() == ""
    assert page.locator("#papers svg").count() == 1


def test_what_an_answer_rests_on_is_switched_on_and_off(opened: Opened, slow_and_fast: list[Path]) -> None:
    page = opened()
    show(page, slow_and_fast[0])
    titles = page.locator("#statement option").all_inner_texts()
    assert sorted(titles) == ["ST-T change", "myocardial infarction", "normal ECG"]
    bare = page.locator("#papers path").count()
    page.select_option("#statement", "MI")
    page.check("#explain")
    page.locator("#papers path.for").first.wait_for(state="attached")
    assert page.locator("#papers path.against").count() > 0
    assert "for myocardial infarction (" in page.locator("#papers svg").text_content()
    assert "not a cause" in page.locator("#explained").inner_text()
    page.uncheck("#explain")
    assert page.locator("#papers path").count() == bare
    page.check("#explain")
    page.locator("#papers path.for").first.wait_for(state="attached")
    assert len([url for url in page.requests if url.endswith("/v1/explain")]) == 1  # asked once
    assert "against it" in page.locator("#papers svg").text_content()
    page.select_option("#method", "grad-cam")
    page.locator("#papers path.for").first.wait_for(state="attached")
    assert page.locator("#papers path.against").count() == 0  # Grad-CAM has no such side
    assert "against it" not in page.locator("#papers svg").text_content()


def test_only_what_the_model_can_be_explained_by_is_offered(
    browser: Any, slow_and_fast: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, _ = build_app(make_trees(), "trees", Limits(readers=1))
    with served(door) as address:
        page = browser.new_page()
        page.goto(address)
        show(page, slow_and_fast[0])
        assert page.locator("#method option").all_inner_texts() == ["occlusion by wave"]
        page.check("#explain")
        sync_api.expect(page.locator("#explained")).to_have_text("It shows what the answer rested on, not a cause.")
        assert page.locator("#error").inner_text() == ""
        assert "measurements" not in page.locator("#findings").inner_text()
        page.uncheck("#explain")
        two = np.zeros((12, 10 * RATE))
        two[1, [RATE, 9 * RATE // 5]] = 1.5
        show(page, write(tmp_path / "two.npz", two))
        sync_api.expect(page.locator("#findings .doubts")).to_contain_text(
            "Fewer than three beats were found: the answer"
        )
        monkeypatch.setattr(service, "can_explain", lambda: False)
        page.reload()
        show(page, slow_and_fast[0])
        assert page.locator("#method option").all_inner_texts() == ["not installed on this service"]
        assert page.locator("#explain").is_disabled()
        page.close()


def test_every_method_of_a_network_is_offered_and_what_was_chosen_stays(
    opened: Opened, slow_and_fast: list[Path]
) -> None:
    page = opened()
    show(page, slow_and_fast[0])
    offered = ["integrated gradients", "Grad-CAM, by time only", "occlusion by wave"]
    assert page.locator("#method option").all_inner_texts() == offered
    page.select_option("#method", "occlusion")
    show(page, slow_and_fast[1])
    sync_api.expect(page.locator("#about")).to_contain_text("fast.npz")
    assert page.locator("#method").input_value() == "occlusion"


def test_a_long_ecg_says_which_part_of_it_is_coloured(opened: Opened, tmp_path: Path) -> None:
    long, short = beating(tmp_path / "long.npz", 1.0, 0.7, 1.0, 25), beating(tmp_path / "short.npz", 0.8, 0.5, 2.0)
    page, said = opened(), "its first 10 s"
    show(page, long)
    page.check("#explain")
    page.locator("#papers path.for").first.wait_for(state="attached")
    explained = page.locator("#explained")
    assert explained.inner_text() == (
        "It shows what the answer rested on, not a cause. Coloured is its first 10 s of 25 s, with the probability of that "
        "part; the model's answer is the mean over all of it."
    )
    assert f"% of {said})" in page.locator("#papers svg").text_content()
    show(page, short)
    sync_api.expect(explained).to_have_text("It shows what the answer rested on, not a cause.")
    assert said not in page.locator("#papers svg").text_content()
    page.select_option("#other", label="long.npz")
    sync_api.expect(explained).to_contain_text("long.npz: coloured is its first 10 s of 25 s")
    page.check("#together")  # of two over each other the first alone is coloured
    sync_api.expect(explained).not_to_contain_text(said)


def test_two_fingers_zoom_and_a_button_resets(opened: Opened, spikes: Path) -> None:
    page = opened(PHONE, has_touch=True, is_mobile=True)
    show(page, spikes)
    page.locator("#papers svg").scroll_into_view_if_needed()
    start = box(page, "#papers .scroll")
    x, y = start["x"] + 150, start["y"] + 100
    touch = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 50), ("touchMove", 75), ("touchMove", 100)):
        points = [{"x": x - apart / 2, "y": y, "id": 1}, {"x": x + apart / 2, "y": y, "id": 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(50)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    sync_api.expect(page.locator("#scale")).to_contain_text("zoom 2 ×: not to scale")
    assert box(page, "#papers .pulse")["height"] == pytest.approx(2 * 10 * MM, abs=0.2)
    page.tap("#zoom-reset")
    assert box(page, "#papers .pulse")["height"] == pytest.approx(10 * MM, abs=0.1)


WARPED = 2 * RATE * math.tan(math.pi * 50 / RATE)  # 50 Hz before the bilinear transform
SOS = {
    "highpass": butter(2, 0.5, "high", fs=RATE, output="sos"),
    "lowpass": butter(2, 40, fs=RATE, output="sos"),
    "notch": tf2sos(*bilinear([1, 0, WARPED**2], [1, WARPED / 30, WARPED**2], RATE)),
}


@pytest.mark.parametrize("name", SOS)
def test_filters_are_scipy_s_forward_and_backward(opened: Opened, name: str) -> None:
    rng = np.random.default_rng(0)
    lead = np.cumsum(rng.normal(0, 0.01, 10 * RATE)) + 0.1 * np.sin(2 * np.pi * 50 * np.arange(10 * RATE) / RATE)
    wanted = sosfiltfilt(SOS[name], lead, padlen=1000)
    filters = {"highpass": name == "highpass", "lowpass": name == "lowpass", "notch": 50 if name == "notch" else 0}
    found = opened().evaluate(
        "async ([lead, filters]) => (await import('/page/filters.js')).filtered(lead, 500, filters)",
        [lead.tolist(), filters],
    )
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_filters_name_their_cut_off_and_raw_is_a_click_away(opened: Opened, spikes: Path) -> None:
    page = opened()
    show(page, spikes)
    raw = page.locator("#papers path[data-lead=II]").first.get_attribute("d")
    assert "unfiltered" in page.locator("#scale").inner_text()
    page.check("#lowpass")
    page.select_option("#notch", "60")
    assert "filtered: low-pass 40 Hz, notch 60 Hz" in page.locator("#papers .foot").text_content()
    assert page.locator("#papers path[data-lead=II]").first.get_attribute("d") != raw
    page.click("#raw")
    assert page.locator("#papers path[data-lead=II]").first.get_attribute("d") == raw


def test_a_filter_that_a_slow_recording_cannot_have_is_not_called_applied(opened: Opened) -> None:
    said = opened().evaluate(
        """async () => {
          const { described } = await import('/page/filters.js');
          const both = {highpass: false, lowpass: true, notch: 50};
          return [described(both, [500]), described(both, [100]), described(both, [100, 500]), described(both, [60])];
        }"""
    )
    assert said == [
        "filtered: low-pass 40 Hz, notch 50 Hz",
        "filtered: low-pass 40 Hz · no notch 50 Hz at 100 Hz",
        "filtered: low-pass 40 Hz, notch 50 Hz · no notch 50 Hz at 100 Hz",
        "unfiltered · no low-pass 40 Hz at 60 Hz, no notch 50 Hz at 60 Hz",
    ]


def test_all_that_is_shown_is_taken_away(opened: Opened, slow_and_fast: list[Path]) -> None:
    page = opened()
    show(page, *slow_and_fast)
    page.select_option("#other", label="fast.npz")
    taken: list[str] = []
    page.on("download", lambda one: taken.append(one.suggested_filename))
    page.click("#png")
    page.click("#json")
    for _ in range(200):
        if len(taken) == 4:
            break
        page.wait_for_timeout(50)
    assert sorted(taken) == ["fast.json", "fast.png", "slow.json", "slow.png"]


def test_what_is_downloaded(opened: Opened, simulated: Path) -> None:
    page = opened()
    header = sorted((simulated / "superclasses").rglob("*.hea"))[0]
    show(page, header, header.with_suffix(".dat"))
    with page.expect_download() as download:
        page.click("#json")
    held = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert [one["name"] for one in held["classes"]] == ["NORM", "MI", "STTC"]
    assert "not a medical device" in held["notice"]
    with page.expect_download() as download:
        page.click("#png")
    content = Path(download.value.path()).read_bytes()
    width = int(page.locator("#papers svg").get_attribute("data-width"))
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(content[16:20], "big") == 10 * width  # 10 dots a millimetre


def test_print_is_to_scale_or_refused(opened: Opened, spikes: Path) -> None:
    page = opened()
    show(page, spikes)
    page.click("#zoom-in")
    page.emulate_media(media="print")
    assert box(page, "#papers .pulse")["height"] == pytest.approx(10 * MM, abs=0.1)
    assert "Not a medical device" in page.locator("figcaption").inner_text()
    assert not page.locator("#controls").is_visible()
    page.emulate_media(media="screen")
    page.select_option("#speed", "50")
    page.click("#print")
    assert "choose 25 mm/s" in page.locator("#error").inner_text()


def test_the_pdf_is_of_lines_and_to_scale(opened: Opened, spikes: Path) -> None:
    page = opened()
    show(page, spikes)
    page.click("#zoom-in")
    content = page.pdf(prefer_css_page_size=True, print_background=True)
    point = 72 / 25.4  # a millimetre
    assert b"/Subtype /Image" not in content
    wide, high = (float(side) for side in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)[0])
    assert (wide / point, high / point) == (pytest.approx(297, abs=0.3), pytest.approx(210, abs=0.3))
    pulses = [one for one in drawn(content) if one == pytest.approx((7 * point, 10 * point), abs=0.1)]
    assert len(pulses) == 4  # 1 mV and 0.2 s with its two feet, in each row


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_bars_the_way(opened: Opened, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(color_scheme=scheme)
    page.click("#example")
    page.wait_for_selector("#papers svg")
    page.check("#calipers")
    page.check("#explain")
    page.locator("#papers path.for").first.wait_for(state="attached")
    page.select_option("#other", index=1)
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found = axe.Axe().run(page).response
    assert len(found["passes"]) > 20
    assert [(one["id"], one["help"]) for one in found["violations"]] == []


def test_the_page_asks_for_the_token_that_the_service_wants(browser: Any, spikes: Path) -> None:
    door, _ = build_app(make(), "small", Limits(readers=1), token="a-long-enough-secret")
    with served(door) as address:
        page = browser.new_page()
        page.goto(address)
        page.set_input_files("#files", spikes)
        sync_api.expect(page.locator("#error")).to_contain_text("bearer token")
        page.fill("#token", "a-long-enough-secret")
        show(page, spikes)
        page.close()
