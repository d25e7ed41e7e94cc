import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import WrongRequest
from ecgenough.reports import draw_ecg

SVG = "{http://www.w3.org/2000/svg}"


def traces(drawing: str) -> list[tuple[str, np.ndarray]]:
    """Lead and places in mm `[points, 2]` of each trace, in the order they are drawn; its pieces are joined."""
    found = []
    for path in ET.fromstring(drawing).iter(f"{SVG}path"):
        if path.get("class") == "trace":
            places = []
            for piece in path.get("d", "").split("M")[1:]:
                numbers = np.array(re.findall(r"-?\d+", piece), dtype=float).reshape(-1, 2)
                places.append(numbers.cumsum(axis=0) / 100)
            found.append((path.get("data-lead", ""), np.concatenate(places) if places else np.zeros((0, 2))))
    return found


def twelve(rate: float = 100, seconds: float = 10) -> np.ndarray:
    return np.zeros((12, int(rate * seconds)), dtype=np.float32)


def test_the_usual_print_has_four_columns_and_a_rhythm_strip() -> None:
    leads = [lead for lead, _ in traces(draw_ecg(twelve(), 100, STANDARD_LEADS))]
    assert leads == ["I", "aVR", "V1", "V4", "II", "aVL", "V2", "V5", "III", "aVF", "V3", "V6", "II"]


def test_a_second_is_25_mm_and_the_columns_follow_each_other_in_time() -> None:
    drawn = traces(draw_ecg(twelve(), 100, STANDARD_LEADS))
    starts = [places[0, 0] for _, places in drawn[:4]]
    assert np.diff(starts).tolist() == [62.5, 62.5, 62.5]
    rhythm = drawn[-1][1]
    assert rhythm[-1, 0] - rhythm[0, 0] == pytest.approx(9.99 * 25, abs=0.01)


@pytest.mark.parametrize("rate", [100, 257, 500, 1000])
def test_a_millivolt_is_10_mm_at_any_rate(rate: int) -> None:
    signal = twelve(rate)
    signal[1, rate : rate + rate // 2] = 1.0  # lead II, half a second
    for lead, places in traces(draw_ecg(signal, rate, STANDARD_LEADS)):
        height = places[:, 1].max() - places[:, 1].min()
        assert height == pytest.approx(10 if lead == "II" else 0, abs=0.011)


def test_a_drawing_in_mm_carries_its_own_size_and_says_what_it_is() -> None:
    root = ET.fromstring(draw_ecg(twelve(), 100, STANDARD_LEADS))
    width, height = (float(root.get(side, "").removesuffix("mm")) for side in ("width", "height"))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"
    assert width == 15 + 250 + 5
    assert root.get("role") == "img"
    assert "12 leads" in root.get("aria-label", "")
    assert "25 mm/s" in root.get("aria-label", "")


def test_the_grid_has_a_line_each_millimetre_and_a_strong_one_each_five() -> None:
    root = ET.fromstring(draw_ecg(twelve(), 100, STANDARD_LEADS))
    grid = {path.get("class"): path.get("d", "") for path in root.iter(f"{SVG}path")}
    fine, coarse = (sorted(int(x) for x in re.findall(r"M(\d+) 0v", grid[kind])) for kind in ("fine", "coarse"))
    assert sorted({*fine, *coarse}) == list(range(271))
    assert sorted(set(coarse)) == list(range(0, 271, 5))


def test_each_row_starts_with_a_pulse_of_a_millivolt_for_a_fifth_of_a_second() -> None:
    root = ET.fromstring(draw_ecg(twelve(), 100, STANDARD_LEADS))
    pulses = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("class") == "pulse"]
    assert len(pulses) == 4
    assert all(pulse.endswith("v-10h5v10h1.5") for pulse in pulses)


def test_every_sample_lies_within_a_twentieth_of_a_millimetre_of_its_trace() -> None:
    rate, rng = 500, np.random.default_rng(3)
    signal = rng.normal(0, 0.05, (1, 2 * rate)).cumsum(axis=1) / 5
    drawing = draw_ecg(signal, rate, ["II"])
    (_, line), *_ = traces(drawing)
    baseline = float(re.findall(r'class="pulse" d="M\S+ ([\d.]+)h', drawing)[0])
    heights = baseline - 10 * (signal[0] - np.median(signal[0]))
    samples = np.column_stack([15 + np.arange(2 * rate) * 25 / rate, heights])
    rounding = 0.01 * 2**-0.5
    assert distance_to_line(samples, line).max() <= 0.05 + rounding
    assert len(line) < 2 * rate / 2


def distance_to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    starts, along = line[:-1], np.diff(line, axis=0)
    share = ((points[:, None] - starts) * along).sum(axis=2) / (along**2).sum(axis=1)
    nearest = starts + share.clip(0, 1)[..., None] * along
    return np.asarray(np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1))


@pytest.mark.parametrize(
    ("leads", "seconds"), [(("I", "II", "V1"), 10), (("MLII", "V5"), 10), (STANDARD_LEADS, 5), (STANDARD_LEADS, 12)]
)
def test_fewer_leads_and_other_lengths_get_one_lead_a_row(leads: tuple[str, ...], seconds: float) -> None:
    drawn = traces(draw_ecg(np.zeros((len(leads), int(100 * seconds))), 100, leads))
    assert [lead for lead, _ in drawn] == list(leads)
    baselines = [places[0, 1] for _, places in drawn]
    assert baselines == sorted(set(baselines))
    assert {places[0, 0] for _, places in drawn} == {15.0}


def test_rows_can_be_asked_for() -> None:
    assert len(traces(draw_ecg(twelve(), 100, STANDARD_LEADS, layout="rows"))) == 12


def test_leads_may_come_in_any_order_and_spelling() -> None:
    signal = twelve()
    signal[0, 100:110] = 2.0
    reordered = ["avr", "I", "ii", "III", "AVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    drawn = dict(traces(draw_ecg(signal, 100, reordered))[:12])
    assert np.ptp(drawn["I"][:, 1]) == 0
    signal[0, 300:310] = 2.0  # aVR is the second column: 2.5 to 5 s
    assert np.ptp(dict(traces(draw_ecg(signal, 100, reordered))[:12])["aVR"][:, 1]) == pytest.approx(20)


def test_lost_samples_leave_a_gap_and_a_lead_without_any_says_so() -> None:
    signal = np.zeros((2, 300))
    signal[0, 100:200] = np.nan
    signal[1] = np.nan
    drawing = draw_ecg(signal, 100, ["I", "II"])
    assert drawing.count("M1500") == 1
    (_, places), (_, nothing) = traces(drawing)
    assert places[:, 0].tolist() == pytest.approx([15, 15 + 99 / 4, 15 + 200 / 4, 15 + 299 / 4], abs=0.01)
    assert len(nothing) == 0
    assert "II (no signal)" in drawing


def test_an_offset_is_taken_away_so_that_the_median_lies_on_the_baseline() -> None:
    assert draw_ecg(twelve() + 7.5, 100, STANDARD_LEADS) == draw_ecg(twelve(), 100, STANDARD_LEADS)


def test_names_of_leads_cannot_write_into_the_page() -> None:
    drawing = draw_ecg(np.zeros((1, 100)), 100, ['<script>"&'])
    assert "<script>" not in drawing
    ET.fromstring(drawing)


@pytest.mark.parametrize(
    ("signal", "rate", "leads", "layout"),
    [
        (np.zeros((2, 100)), 100, ["I"], "3x4+1"),
        (np.zeros((1, 0)), 100, ["I"], "3x4+1"),
        (np.zeros(100), 100, ["I"], "3x4+1"),
        (np.zeros((1, 100)), 0, ["I"], "3x4+1"),
        (np.zeros((1, 100)), 100, ["I"], "6x2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(signal: np.ndarray, rate: float, leads: list[str], layout: str) -> None:
    with pytest.raises(WrongRequest):
        draw_ecg(signal, rate, leads, layout=layout)


@pytest.mark.skipif("ECGENOUGH_DATA" not in os.environ, reason="ECGENOUGH_DATA is not set")
def test_a_real_ecg_of_12_leads_at_500_hz_fits_in_100_kilobytes() -> None:
    wfdb = pytest.importorskip("wfdb")
    header = next((Path(os.environ["ECGENOUGH_DATA"]) / "ptb-xl-500hz").rglob("*.hea"))
    record = wfdb.rdrecord(str(header.with_suffix("")))
    drawing = draw_ecg(record.p_signal.T, record.fs, record.sig_name)
    assert len(traces(drawing)) == 13
    assert len(drawing) < 100_000
