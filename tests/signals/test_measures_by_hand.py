"""Each measure of a beat whose waves are sums of Gaussians is what their formula says it is."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfreqz

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.signals.measurements import measure, measures
from ecgenough.simulation import Case, simulate

Floats = NDArray[np.float64]

RATE = 500
SECONDS = np.arange(5000) / RATE
BEATS = 0.6 + 0.8 * np.arange(12)
# Where each wave lies beside R, and its deviation, s; and its heights in I, II, III, aVR, aVL, aVF and V1 to V6, mV.
PLACES = {"p": (-0.17, 0.02), "q": (-0.026, 0.006), "r": (0.0, 0.007), "s": (0.026, 0.006), "t": (0.27, 0.05)}
LIMBS = {"p": (0.08, 0.12), "q": (-0.1, -0.15), "r": (0.7, 1.2), "s": (-0.2, -0.1), "t": (0.2, 0.35)}  # I, II
CHEST = {
    "p": (0.05, 0.06, 0.06, 0.06, 0.06, 0.06),
    "q": (0, 0, 0, -0.05, -0.1, -0.15),
    "r": (0.3, 0.5, 0.7, 1.4, 1.6, 1.2),
    "s": (-1.2, -1.5, -0.9, -0.5, -0.2, -0.1),
    "t": (-0.1, 0.3, 0.4, 0.4, 0.3, 0.25),
}


def heights(wave: str) -> Floats:
    one, two = LIMBS[wave]
    return np.array([one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, *CHEST[wave]])


def shape(seconds: Floats) -> Floats:
    """The planted beat `[leads, times]` at `seconds` from R."""
    waves = [np.outer(heights(wave), np.exp(-(((seconds - at) / dev) ** 2) / 2)) for wave, (at, dev) in PLACES.items()]
    return np.asarray(np.sum(waves, axis=0))


def read(signal: Floats, rate: float = RATE, leads: tuple[str, ...] = STANDARD_LEADS) -> dict[str, float]:
    return dict(zip(measures(leads), measure(signal.astype(np.float32), rate, leads), strict=True))


def planted(sizes: Floats | None = None) -> Floats:
    sizes = np.ones(len(BEATS)) if sizes is None else sizes
    return np.asarray(sum(size * shape(SECONDS - beat) for beat, size in zip(BEATS, sizes, strict=True)))


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    return read(planted())


@pytest.fixture(scope="module")
def edges(found: dict[str, float]) -> tuple[float, float]:
    """Onset and offset of QRS beside R, s, as they were found: R of lead II is 0."""
    onset = -found["r_time_II"] / 1e3
    return onset, onset + found["qrs"] / 1e3


def in_leads(found: dict[str, float], what: str) -> Floats:
    return np.array([found[f"{what}_{lead}"] for lead in STANDARD_LEADS])


def test_qrs_begins_and_ends_where_its_waves_have_faded(edges: tuple[float, float]) -> None:
    assert edges[0] == pytest.approx(PLACES["q"][0] - 2.5 * PLACES["q"][1], abs=0.008)
    assert edges[1] == pytest.approx(PLACES["s"][0] + 2.5 * PLACES["s"][1], abs=0.008)


@pytest.mark.parametrize(("what", "after"), [("j", 0.0), ("st", 0.04), ("st_60", 0.06), ("st_80", 0.08)])
def test_voltages_after_qrs_are_those_planted_there(
    found: dict[str, float], edges: tuple[float, float], what: str, after: float
) -> None:
    np.testing.assert_allclose(in_leads(found, what), shape(np.array([edges[1] + after]))[:, 0], atol=0.025)
    np.testing.assert_allclose(in_leads(found, "st_slope"), in_leads(found, "st_80") - in_leads(found, "j"), atol=1e-9)


def test_heights_depths_and_times_of_qrs_are_those_planted(found: dict[str, float], edges: tuple[float, float]) -> None:
    times = np.arange(edges[0], edges[1] + 0.001, 1 / RATE)
    qrs = shape(times)
    np.testing.assert_allclose(in_leads(found, "r"), qrs.max(axis=1), atol=0.03)
    np.testing.assert_allclose(in_leads(found, "peak_to_peak"), np.ptp(qrs, axis=1), atol=0.03)
    np.testing.assert_allclose(in_leads(found, "s_time"), 1e3 * (times[qrs.argmin(axis=1)] - edges[0]), atol=2.1)
    np.testing.assert_allclose(in_leads(found, "qrs_area"), 2 * qrs.sum(axis=1), atol=2.5)  # mV ms of 2 ms samples
    np.testing.assert_allclose(in_leads(found, "qrs_size"), 2 * np.abs(qrs).sum(axis=1), atol=2.5)
    for lead, q, s in (("II", -0.15, -0.1), ("V6", -0.15, -0.1), ("V1", 0.0, -1.2)):
        assert found[f"q_{lead}"] == pytest.approx(q, abs=0.03)
        assert found[f"s_{lead}"] == pytest.approx(s, abs=0.03)
        assert found[f"r_prime_{lead}"] == pytest.approx(-s, abs=0.04)  # S rises to rest, and no higher
    below = PLACES["q"][1] * np.sqrt(2 * np.log(0.15 / 0.02))  # from its lowest point to where Q leaves -0.02 mV
    assert found["q_duration_II"] == pytest.approx(2e3 * below, abs=8)  # R cuts its end off
    assert found["q_duration_V1"] == 0
    assert found["turns_II"] == 3  # Q, R and S
    assert found["turns_V1"] == 2


def test_speeds_of_qrs_are_those_planted(found: dict[str, float], edges: tuple[float, float]) -> None:
    times = np.arange(edges[0], edges[1] + 0.001, 1 / RATE)
    qrs = shape(times)
    height, speed = np.linalg.norm(qrs, axis=0), np.linalg.norm(np.diff(qrs), axis=0)
    assert found["qrs_height"] == pytest.approx(height.max(), rel=0.02)
    assert found["qrs_height_time"] == pytest.approx(1e3 * (times[height.argmax()] - edges[0]), abs=2.1)
    assert found["qrs_speed"] == pytest.approx(speed.max(), rel=0.05)  # mV in 2 ms
    assert found["qrs_speed_time"] == pytest.approx(1e3 * (times[speed.argmax()] - edges[0]), abs=2.1)
    assert found["qrs_start"] == pytest.approx(speed[:15].mean() / speed.max(), rel=0.1)  # of 30 ms
    assert found["qrs_end"] == pytest.approx(speed[-15:].mean() / speed.max(), rel=0.1)
    early = np.abs(np.diff(qrs[:, :21])).mean(axis=1) / np.abs(np.diff(qrs)).max(axis=1)  # of 40 ms
    np.testing.assert_allclose(in_leads(found, "upstroke"), early, rtol=0.12)


def test_p_and_t_are_those_planted(found: dict[str, float], edges: tuple[float, float]) -> None:
    p, t = heights("p"), heights("t")
    fades = PLACES["p"][1] * np.sqrt(2 * np.log(1 / 0.12))  # s from the peak to 12% of it
    assert found["p_duration"] == pytest.approx(2e3 * fades, abs=8)
    assert found["pr"] == pytest.approx(1e3 * (edges[0] - PLACES["p"][0] + fades), abs=6)
    assert found["pr_segment"] == pytest.approx(found["pr"] - found["p_duration"], abs=1e-6)
    assert found["p_height"] == pytest.approx(np.linalg.norm(p), rel=0.08)  # of all leads together
    assert found["p_share"] == pytest.approx(found["p_height"] / (found["qrs_height"] + 0.05), rel=1e-6)
    np.testing.assert_allclose(in_leads(found, "p"), p, atol=0.015)
    np.testing.assert_allclose(in_leads(found, "p_most"), np.maximum(p, 0), atol=0.02)
    np.testing.assert_allclose(in_leads(found, "p_least"), np.minimum(p, 0), atol=0.02)
    np.testing.assert_allclose(in_leads(found, "t"), t, atol=0.03)
    np.testing.assert_allclose(in_leads(found, "t_most"), np.maximum(t, 0), atol=0.03)
    np.testing.assert_allclose(in_leads(found, "t_least"), np.minimum(t, 0), atol=0.03)
    tall = np.ptp(shape(np.linspace(*edges, 50)), axis=1) + 0.05
    np.testing.assert_allclose(in_leads(found, "t_share"), t / tall, atol=0.03)
    steepest = PLACES["t"][0] + 2 * PLACES["t"][1]  # where the tangent one deviation past a Gaussian's peak meets 0
    assert found["qt"] == pytest.approx(1e3 * (steepest - edges[0]), abs=8)
    assert found["qtc"] == pytest.approx(found["qt"] / np.cbrt(0.8), rel=0.005)


def test_axes_are_those_planted(found: dict[str, float]) -> None:
    """Lead I points to 0 degrees, and aVF, which measures sqrt(3)/2 of what a limb lead would, to 90."""
    area = np.sum([heights(wave) * PLACES[wave][1] for wave in "qrs"], axis=0)
    for name, vector in (("axis", area), ("p_axis", heights("p")), ("t_axis", heights("t"))):
        one, foot = vector[0], vector[STANDARD_LEADS.index("aVF")]
        assert found[name] == pytest.approx(np.degrees(np.arctan2(2 * foot, np.sqrt(3) * one)), abs=4)
    t = heights("t")
    assert found["qrs_t"] == pytest.approx(area @ t / np.linalg.norm(area) / np.linalg.norm(t), abs=0.05)


def test_criteria_of_voltage_are_sums_of_what_was_planted(found: dict[str, float]) -> None:
    qrs = shape(np.arange(-0.05, 0.05, 1 / RATE))
    r, s = (dict(zip(STANDARD_LEADS, side, strict=True)) for side in (qrs.max(axis=1), -qrs.min(axis=1)))
    span = np.array([r[lead] + s[lead] for lead in STANDARD_LEADS])
    assert found["voltage_sum"] == pytest.approx(span.sum(), rel=0.02)
    assert found["limb_voltage"] == pytest.approx(span[:6].max(), abs=0.03)
    assert found["limb_voltage_least"] == pytest.approx(span[:6].min(), abs=0.03)
    assert found["chest_voltage"] == pytest.approx(span[6:].max(), abs=0.03)
    assert found["sokolow_lyon"] == pytest.approx(s["V1"] + r["V5"], abs=0.06)
    assert found["cornell"] == pytest.approx(r["aVL"] + s["V3"], abs=0.06)
    assert found["r_s_V1"] == pytest.approx(r["V1"] / (s["V1"] + 0.05), abs=0.03)
    assert found["r_progression"] == pytest.approx(min(r["V2"] - r["V1"], r["V3"] - r["V2"]), abs=0.04)
    assert found["transition"] == 3  # V4 is the first chest lead whose R is higher than its S is deep


@pytest.mark.parametrize("what", ["outline_pr", "outline_qrs", "outline_stt"])
def test_the_outline_follows_what_was_planted_part_by_part(
    found: dict[str, float], edges: tuple[float, float], what: str
) -> None:
    parts, start, stop = {
        "outline_pr": (6, edges[0] - 0.24, edges[0]),
        "outline_qrs": (8, edges[0], edges[1] + 1 / RATE),
        "outline_stt": (8, edges[1] + 1 / RATE, edges[1] + 0.4),
    }[what]
    times = np.arange(start, stop, 1e-4)
    means = np.stack([piece.mean(axis=1) for piece in np.array_split(shape(times), parts, axis=1)])
    named = np.array([[found[f"{what}_{part}_{lead}"] for lead in STANDARD_LEADS] for part in range(parts)])
    # A part of QRS is cut where a sample lies, up to 1 ms beside where it should be.
    np.testing.assert_allclose(named, means, atol=0.16 if what == "outline_qrs" else 0.03)


def test_beats_that_vary_by_a_tenth_are_a_tenth_from_the_usual_one(found: dict[str, float]) -> None:
    varying = read(planted(np.tile([0.9, 1.0, 1.1], 4)))
    for wave in ("qrs", "t"):
        assert varying[f"{wave}_deviation_share"] == pytest.approx(0.1, abs=0.015)
        assert varying[f"{wave}_likeness_least"] > 0.98
        assert varying[f"{wave}_unlike"] == 0
        assert found[f"{wave}_deviation_share"] < 0.02
    assert varying["qrs_deviation_most"] == pytest.approx(varying["qrs_deviation"], rel=0.05)


def test_the_beat_that_is_farthest_is_measured_by_how_far_it_is(found: dict[str, float]) -> None:
    doubled = read(planted(np.where(np.arange(len(BEATS)) == 4, 2.0, 1.0)))
    apart = np.sqrt((shape(np.arange(-0.12, 0.12, 1 / RATE)) ** 2).mean())  # the beat and its double
    assert doubled["odd_size"] == pytest.approx(apart / found["qrs_height"], rel=0.1)
    assert doubled["qrs_deviation_most"] > 10 * doubled["qrs_deviation"]


def test_intervals_are_told_as_planted() -> None:
    """Eleven intervals, every fourth pair of them a premature beat and its pause."""
    rr = np.array([0.8, 0.8, 0.6, 1.0, 0.8, 0.8, 0.6, 1.0, 0.8, 0.8, 0.8])
    beats = 0.5 + np.concatenate([[0], np.cumsum(rr)])
    found = read(np.outer(heights("r"), np.exp(-(((SECONDS - beats[:, None]) / 0.012) ** 2) / 2).sum(axis=0)))
    told = {
        "beats": 12,
        "rr_median": 0.8,
        "rr_least": 0.75,
        "rr_most": 1.25,
        "rr_iqr": 0,
        "rr_cv": rr.std() / 0.8,
        "rr_gap": 0.25,
        "rr_early": 2 / 11,
        "rr_late": 2 / 11,
        "rr_early_late": 2,
        "rr_step": np.sqrt((np.diff(rr) ** 2).mean()) / 0.8,
        "rr_step_long": 6 / 10,
    }
    for name, value in told.items():
        assert found[name] == pytest.approx(value, abs=0.012), name
    assert found["rr_spread"] == pytest.approx(1e3 * rr.std(), abs=3)
    assert found["rate"] == pytest.approx(60 / rr.mean(), abs=0.2)


@pytest.mark.parametrize(("hertz", "slow"), [(5.3, 1.0), (9.1, 0.0)])
def test_what_oscillates_beside_the_beats_is_left_over_at_its_size(hertz: float, slow: float) -> None:
    signal = planted()
    signal[1] += 0.1 * np.sin(2 * np.pi * hertz * SECONDS)
    found = read(signal)
    _, gain = sosfreqz(butter(2, [3, 20], "bandpass", fs=RATE, output="sos"), [hertz], fs=RATE)
    size = 0.1 / np.sqrt(2) * abs(gain[0]) ** 2  # filtered twice, there and back
    assert found["residue_II"] == pytest.approx(size, rel=0.15)
    assert found["residue_tuned_II"] > 0.7
    assert found["residue_slow_II"] == pytest.approx(slow, abs=0.2)


def test_noise_is_told_as_it_was_added() -> None:
    quiet, rng = planted(), np.random.default_rng(0)
    noisy = quiet + rng.normal(0, 0.02, quiet.shape)
    # Second differences of white noise vary sqrt(1 + 4 + 1) times as much; half of a normal lies within 0.6745 deviations.
    assert read(noisy)["muscle"] == pytest.approx(0.6745 * np.sqrt(6) * 0.02, rel=0.1)
    spiked = quiet.copy()
    spiked[4, 2300] += 3
    assert read(spiked)["sharpest"] == pytest.approx(6, abs=0.2)  # up 3 mV and down again
    assert read(spiked)["range"] == pytest.approx(np.ptp(spiked[4]), abs=1e-4)
    slow = read(quiet + np.sin(2 * np.pi * 0.2 * SECONDS))
    assert slow["wander"] == pytest.approx(np.sqrt(0.5), rel=0.05)


@pytest.fixture(scope="module")
def simulated() -> Floats:
    case = Case(frozenset({"PVC"}), record=3, patient=3)
    return np.asarray(simulate([case], rate=100, seed=5).signal[0], dtype=np.float64)


def test_a_measure_is_found_by_its_name_whatever_the_order_of_leads(simulated: Floats) -> None:
    usual = read(simulated, 100)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(12)
        other = read(simulated[order], 100, tuple(STANDARD_LEADS[lead] for lead in order))
        assert other.keys() == usual.keys()
        for name, value in usual.items():
            assert other[name] == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_of_a_signal_twice_as_high_heights_double_and_times_stay(simulated: Floats, factor: float) -> None:
    usual, other = read(simulated, 100), read(factor * simulated, 100)
    same = (
        "rate",
        "rr_spread",
        "odd_beats",
        "qrs",
        "qt",
        "axis",
        "t_axis",
        "qrs_start",
        "r_time_V2",
        "odd_width",
        "beats",
    )
    higher = ("r_V2", "s_V2", "st_60_V3", "t_most_II", "qrs_area_V5", "sokolow_lyon", "qrs_speed", "qrs_deviation")
    for name in same:
        assert other[name] == pytest.approx(usual[name], rel=1e-4), name
    for name in (*higher, "outline_stt_4_V2", "residue_II", "between_qrs_V1", "spike", "muscle", "range"):
        assert other[name] == pytest.approx(factor * usual[name], rel=1e-4), name


@pytest.mark.parametrize("rate", [50, 97.3, 250, 1000])
@pytest.mark.parametrize("beats_a_minute", [20, 60, 180])
def test_rate_and_qrs_are_as_planted_at_any_sampling_rate(rate: float, beats_a_minute: int) -> None:
    times = np.arange(round(10 * rate)) / rate
    beats = np.arange(0.3, 9.8, 60 / beats_a_minute)
    signal = np.outer(heights("r"), np.exp(-(((times - beats[:, None]) / 0.016) ** 2) / 2).sum(axis=0))
    found = read(signal, rate)
    assert found["rate"] == pytest.approx(beats_a_minute, rel=0.01)
    assert found["beats"] == len(beats)
    assert found["qrs"] == pytest.approx(80, abs=16)


def test_what_is_lost_or_named_wrongly_is_not_measured() -> None:
    signal = planted()
    signal[3, 700] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(list(read(signal).values())).all()
    for leads in (("I", "II"), (*STANDARD_LEADS, "V7")):
        with pytest.raises(ValueError, match=f"an ECG of 12 leads with {len(leads)} lead names: I, II"):
            measure(signal.astype(np.float32), RATE, leads)
