"""The rules of the verdict on constructed numbers, and on simulated studies whose truth is known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.made_study import SOBER, MadeArm, MadeStudy, make_study, network

from ecgenough.scoring.repeated import Interval
from ecgenough.studies.analysis import BASELINE, BEST, MODES, Analysis, Standing, analyse
from ecgenough.studies.contrasts import Comparison
from ecgenough.studies.learning_curve import LearningCurve, Need, Point
from ecgenough.studies.needs import need_words, round_up
from ecgenough.studies.questions import Arm, Question
from ecgenough.studies.results import Answers, Cell, read_results
from ecgenough.studies.verdict import Verdict, judge

Figures = Mapping[str, tuple[float, float, float]]
Leads = Mapping[tuple[str, str], tuple[float, float]]  # first and second: difference and corrected p


def cell(arm: str, kind: str = "network", mode: str = "", status: str = "done", reason: str = "") -> Cell:
    return Cell("0", kind, arm, "own.csv", "embolism", "", "", mode, "", 0, 0, 1, None, status, reason, *(None,) * 6)  # type: ignore[arg-type]


def answers(positives: int = 40, records: int = 200) -> Answers:
    names = np.array([f"{number:03d}" for number in range(records)])
    labels = (np.arange(records) < positives)[:, None]
    return Answers(names, names, names, np.full(records, 50.0), np.full((records, 1), 0.5), labels)


def comparison(family: str, first: str, second: str, value: float, p: float) -> Comparison:
    return Comparison(family, first, second, "auc", value, value - 0.04, value + 0.04, p, p, "DeLong", 1)


def interval(value: float, low: float, high: float) -> Interval:
    return Interval(value, low, high, 0.02, 0.01, 30)


def analysis(
    networks: Figures, baselines: Figures, leads: Leads | None = None, modes: Leads | None = None,
    best: Leads | None = None, curves: Sequence[LearningCurve] = (), cells: Sequence[Cell] = (), positives: int = 40,
) -> Analysis:  # fmt: skip
    """An analysis with these numbers and no others."""
    kinds = {**dict.fromkeys(networks, "network"), **dict.fromkeys(baselines, "baseline")}
    figures = {**networks, **baselines}
    order = sorted(figures, key=lambda name: -figures[name][0])
    lags = best or {}
    standings = []
    for place, name in enumerate(order):
        mode = name.split()[-1] if kinds[name] == "network" else ""
        unit = {1: (cell(name), answers(positives))}
        arm = Arm((cell(name, kinds[name], mode),), {(0, 0): unit, (1, 0): unit})
        tied = (order[0], name) in lags and lags[order[0], name][1] >= 0.05
        standings.append(Standing(arm, {"auc": interval(*figures[name])}, {}, place == 0, tied, None))
    sober = next((name for name in order if name in baselines), None)
    families = {
        BASELINE: leads or {(name, sober): (0.1, 0.01) for name in networks if sober},
        MODES: modes or {},
        BEST: lags,
    }
    compared = [
        comparison(name, *pair, *numbers) for name, pairs in families.items() for pair, numbers in pairs.items()
    ]
    question = Question(
        "own.csv",
        "embolism",
        ("PE",),
        ("acute pulmonary embolism",),
        (),
        tuple(one.arm for one in standings),
        {},
        (),
        0,
    )
    return Analysis(question, tuple(cells), tuple(standings), tuple(compared), tuple(curves), ())


NETS = {"resnet18 scratch": (0.80, 0.75, 0.85), "resnet18 full": (0.86, 0.82, 0.90)}
BASE = dict.fromkeys(("intervals", "minirocket"), (0.7, 0.64, 0.76)) | {
    "prevalence": (0.5, 0.5, 0.5),
    "demographics": (0.6, 0.53, 0.67),
}


def said(verdict: Verdict) -> str:
    return f"{verdict.paragraph} {' '.join(verdict.cautions)}"


def test_a_network_clearly_above_the_baselines() -> None:
    leads = {("resnet18 full", "intervals"): (0.16, 0.0004), ("resnet18 scratch", "intervals"): (0.10, 0.03)}
    verdict = judge(analysis(NETS, BASE, leads))
    assert verdict.network == "better"
    assert verdict.headline.startswith(
        "Yes: on these records a network reads acute pulmonary embolism from the ECG better"
    )
    assert "“resnet18 full”, has an AUC of 0.860 (95% interval 0.820–0.900)" in said(verdict)
    assert "+0.160 (95% interval +0.120 to +0.200, corrected p below 0.001); 2 of 2 network arms lie above" in said(
        verdict
    )


def test_another_network_than_the_highest_may_carry_the_finding() -> None:
    leads = {("resnet18 full", "intervals"): (0.16, 0.2), ("resnet18 scratch", "intervals"): (0.10, 0.03)}
    verdict = judge(analysis(NETS, BASE, leads))
    assert verdict.network == "better"
    assert "corrected p 0.200); 1 of 2 network arms lies above" in said(verdict)


def test_networks_clearly_below_the_best_baseline() -> None:
    leads = {("resnet18 full", "intervals"): (-0.06, 0.01), ("resnet18 scratch", "intervals"): (-0.12, 0.001)}
    verdict = judge(analysis(NETS, {**BASE, "intervals": (0.92, 0.89, 0.95)}, leads))
    assert verdict.network == "worse"
    assert verdict.headline.startswith("No: on these records no network reads")
    assert "−0.060 (95% interval −0.100 to −0.020, corrected p 0.010), which is more than chance" in said(verdict)
    assert "That baseline reads the ECG too" in said(verdict)


@pytest.mark.parametrize("value", [0.03, -0.03, 0.0])
def test_what_could_be_chance_is_inconclusive_and_never_equal(value: float) -> None:
    leads = {("resnet18 full", "intervals"): (value, 0.3), ("resnet18 scratch", "intervals"): (-0.12, 0.001)}
    verdict = judge(analysis(NETS, BASE, leads))
    assert verdict.network == "inconclusive"
    assert verdict.headline.startswith("Not shown")
    assert "these records do not decide it" in said(verdict)
    assert "equal" not in said(verdict)


def test_an_auc_whose_interval_holds_one_half_is_not_told_from_guessing() -> None:
    weak = {"resnet18 scratch": (0.55, 0.48, 0.62)}
    verdict = judge(analysis(weak, {"prevalence": (0.5, 0.5, 0.5)}, {("resnet18 scratch", "prevalence"): (0.05, 0.2)}))
    assert "0.550 (95% interval 0.480–0.620), not told apart from guessing" in said(verdict)
    assert "“prevalence”, has 0.500 (95% interval 0.500–0.500), which is guessing" in said(verdict)
    alone = judge(analysis(weak, {}))
    assert alone.network == "no baseline"
    assert alone.headline.endswith("Its AUC is not told apart from guessing either.")


def test_baselines_alone_answer_nothing_about_networks() -> None:
    verdict = judge(analysis({}, BASE))
    assert (verdict.network, verdict.transfer, verdict.mode) == ("no network", "not compared", "not compared")
    assert verdict.headline.startswith("Not answered: no network has figures")


def test_transfer_helped_harmed_or_is_open() -> None:
    helped = judge(
        analysis(NETS, BASE, modes={("full", "scratch"): (0.06, 0.01), ("frozen", "scratch"): (-0.05, 0.02)})
    )
    assert helped.transfer == "helped"
    assert "“full” changed the AUC by +0.060" in said(helped)
    assert "“frozen” (−0.050" in said(helped)
    mixed = judge(analysis(NETS, BASE, modes={("full", "scratch"): (0.01, 0.6), ("frozen", "scratch"): (-0.06, 0.01)}))
    assert mixed.transfer == "inconclusive"
    assert "the best way, “full”, changed the AUC by +0.010" in said(mixed)
    assert "“frozen” (−0.060" in said(mixed)
    harmed = judge(
        analysis(NETS, BASE, modes={("full", "scratch"): (-0.06, 0.01), ("frozen", "scratch"): (-0.09, 0.01)})
    )
    assert harmed.transfer == "harmed"
    assert "Transfer harmed: against training from scratch, “full” changed the AUC by −0.060" in said(harmed)
    open_ = judge(analysis(NETS, BASE, modes={("full", "scratch"): (0.06, 0.08)}))
    assert open_.transfer == "inconclusive"
    assert "Whether transfer helped is open" in said(open_)


def test_one_mode_is_best_only_above_every_other() -> None:
    pairs = {("frozen", "full"): (-0.06, 0.001), ("frozen", "lp-ft"): (-0.08, 0.001), ("full", "lp-ft"): (-0.02, 0.04)}
    best = judge(analysis(NETS, BASE, modes=pairs))
    assert best.mode == "one best"
    assert "“lp-ft” is above every other by more than chance" in said(best)
    unsure = judge(analysis(NETS, BASE, modes={**pairs, ("full", "lp-ft"): (-0.02, 0.4)}))
    assert unsure.mode == "inconclusive"
    assert "“frozen” is below another by more than chance; “full” and “lp-ft” are not" in said(unsure)
    none = judge(analysis(NETS, BASE, modes={("frozen", "full"): (0.01, 0.7)}))
    assert "The ways of transfer, “frozen” and “full”, are not told apart." in said(none)


def test_a_mode_that_was_not_set_against_all_others_is_not_best() -> None:
    pairs = {("frozen", "full"): (-0.06, 0.001), ("layerwise", "lp-ft"): (-0.08, 0.001)}
    assert judge(analysis(NETS, BASE, modes=pairs)).mode == "inconclusive"


def test_all_that_cannot_be_told_from_the_best_are_named() -> None:
    lags = {("resnet18 full", "resnet18 scratch"): (0.06, 0.07), ("resnet18 full", "intervals"): (0.16, 0.001)}
    assert "Not told apart from the highest, “resnet18 full”: “resnet18 scratch”." in said(
        judge(analysis(NETS, BASE, best=lags))
    )
    sure = dict.fromkeys(lags, (0.1, 0.01))
    assert "“resnet18 full” is told apart from every other arm." in said(judge(analysis(NETS, BASE, best=sure)))


def test_arms_that_tie_exactly_are_highest_together() -> None:
    figures = {"resnet18 full": (1.0, 1.0, 1.0), "lstm full": (1.0, 1.0, 1.0), "resnet18 scratch": (0.8, 0.7, 0.9)}
    lags = {("resnet18 full", "lstm full"): (0.0, 1.0), ("resnet18 full", "resnet18 scratch"): (0.2, 0.2)}
    told = said(judge(analysis(figures, BASE, best=lags)))
    assert (
        "The best network, “resnet18 full”, has an AUC of 1.000 (95% interval 1.000–1.000). “lstm full” has the same AUC."
        in told
    )
    assert "Not told apart from the highest, “resnet18 full” and “lstm full”: “resnet18 scratch”." in told
    lags[("resnet18 full", "resnet18 scratch")] = (0.2, 0.001)
    told = said(judge(analysis(figures, BASE, best=lags)))
    assert "“resnet18 full” and “lstm full” have exactly the same AUC and are told apart from every other arm." in told


def test_cautions_name_what_is_missing() -> None:
    failed = [cell("resnet18 full", status="failed", reason="out of memory"), cell("x", status="waiting"), cell("y")]
    found = analysis(
        NETS,
        {"intervals": BASE["intervals"]},
        {("resnet18 full", "intervals"): (0.1, 0.01)},
        cells=failed,
        positives=12,
    )
    cautions = " ".join(judge(found).cautions)
    assert "1 of 3 cells failed" in cautions
    assert "1 of 3 cells has not run yet" in cautions
    assert "No figures of prevalence, demographics and minirocket" in cautions
    assert "Few patients have PE (12)" in cautions
    assert "training again with another seed or split" in cautions
    assert "The best was picked by these same figures" in cautions


def curve(**changes: object) -> LearningCurve:
    points = tuple(
        Point(size, interval(auc, auc - 0.05, auc + 0.05)) for size, auc in ((50, 0.7), (100, 0.75), (200, 0.79))
    )
    grid = np.array([50.0, 200.0, 400.0, 800.0])
    middle = np.array([0.7, 0.79, 0.82, 0.84])
    made = LearningCurve("resnet18 full", points, "", grid, middle, middle - 0.03, middle + 0.03, ())
    return replace(made, **changes)  # type: ignore[arg-type]


def test_how_many_ecgs_is_told_as_far_as_the_curve_goes() -> None:
    needs = (Need(0.8, "an AUC of 0.8", 210.0, 255.0, None),)
    verdict = judge(analysis(NETS, BASE, curves=[curve(needs=needs)]))
    assert (
        "Twice the 200 training ECGs would take “resnet18 full” from an AUC of 0.790 to about 0.820 (0.790–0.850)"
        in said(verdict)
    )
    assert "an AUC of 0.8 would take about 260 (210 to more than 800)" in said(verdict)
    refused = judge(analysis(NETS, BASE, curves=[curve(why_not="the AUC does not rise")]))
    assert "How many ECGs would be needed cannot be said: the AUC does not rise." in said(refused)
    assert "was not studied" in said(judge(analysis(NETS, BASE)))


@pytest.mark.parametrize(
    ("need", "words"),
    [
        (
            Need(0.9, "it", None, None, None),
            "it is not in reach of 800 ECGs, and further these sizes do not let one look",
        ),
        (Need(0.9, "it", 310.0, None, None), "it might take as few as 310, or more than 800"),
        (Need(0.9, "it", 310.0, 451.0, 777.0), "it would take about 460 (310 to 780)"),
    ],
)
def test_needs_in_words(need: Need, words: str) -> None:
    assert need_words(need, curve()).startswith(words)


@pytest.mark.parametrize(("records", "words"), [(7, "7"), (99.5, "99"), (101, "110"), (12_345, "13,000")])
def test_needs_are_rounded_up_to_two_digits(records: float, words: str) -> None:
    assert round_up(records) == words


def verdict_of(folder: Path, *skills: float, **changes: object) -> Verdict:
    arms = [network("resnet18", mode, skill) for mode, skill in zip(("scratch", "full"), skills, strict=False)]
    made = MadeStudy((*arms, *SOBER), patients=300, folds=3, **changes)  # type: ignore[arg-type]
    return judge(analyse(read_results(make_study(folder / "study", made)), resamples=150)[0])


def test_simulated_studies_are_judged_as_they_were_made(tmp_path: Path) -> None:
    good = verdict_of(tmp_path / "a", 1.1, 2.2)
    assert (good.network, good.transfer) == ("better", "helped")
    bad = verdict_of(tmp_path / "b", 0.9, 0.1)
    assert bad.transfer == "harmed"
    same = verdict_of(tmp_path / "c", 0.7, 0.7, own_noise=0.3)
    assert same.network == "inconclusive"
    assert same.transfer == "inconclusive"


def test_a_study_of_which_everything_failed_says_so(tmp_path: Path) -> None:
    arms = (network("resnet18", "scratch", 1.0, failed=((0, 1), (1, 1))),)
    (found,) = analyse(
        read_results(make_study(tmp_path / "study", MadeStudy(arms, patients=60, folds=2))), resamples=50
    )
    verdict = judge(found)
    assert verdict.network == "no network"
    assert "“resnet18 scratch” has no complete run and no figures." in verdict.cautions


def made_handful(folder: Path, positives: int, *arms: MadeArm, records_a_patient: int = 1) -> Analysis:
    """A study of 100 records, the first of which have the class."""
    made = MadeStudy(arms, 100, (0.5,), folds=1, seeds=(0,), records_a_patient=records_a_patient)
    make_study(folder, made)
    for path in folder.glob("cells/*/predictions.csv"):
        table = pd.read_csv(path, dtype=str)
        table["y_PE"] = (table.index < positives).astype(int)
        table.to_csv(path, index=False)
    return analyse(read_results(folder), resamples=50)[0]


def test_nothing_is_compared_on_a_handful_of_positives(tmp_path: Path) -> None:
    arms = (network("resnet18", "scratch", 0.6), network("resnet18", "full", 2.8), *SOBER)
    few, enough = made_handful(tmp_path / "few", 4, *arms), made_handful(tmp_path / "enough", 5, *arms)
    said = judge(few)
    sentence = (
        "With only 4 positive test patients of any class, which is better is not asked: it would be up to each one."
    )
    assert (said.network, said.transfer, said.mode) == ("not asked", "not compared", "not compared")
    assert said.headline.startswith(
        "Not asked: these records cannot tell whether a network reads acute pulmonary embolism"
    )
    assert sentence in said.sentences
    assert not any("told apart from" in one and "guessing" not in one for one in (*said.sentences, *said.cautions))
    assert few.comparisons == ()
    assert [one.tied for one in few.standings] == [False, True, True, True, True]
    assert judge(enough).network != "not asked"
    assert len(enough.family(BASELINE)) == 2
    alone = made_handful(tmp_path / "alone", 4, network("resnet18", "scratch", 0.6))
    assert sentence not in judge(alone).paragraph
    ten_each = made_handful(tmp_path / "ten each", 40, *arms, records_a_patient=10)
    assert sentence in judge(ten_each).sentences
    nets = made_handful(tmp_path / "nets", 4, *arms[:2])
    assert judge(nets).network == "no baseline"
    assert sentence in judge(nets).sentences


def test_thresholds_that_a_handful_decided_are_named(tmp_path: Path) -> None:
    for stated, said in (
        ({"validation_patients": [[4, 60]]}, "PE (4 positive patients)"),
        ({"validation_patients": [[60, 1]], "validation_positives": [4]}, "PE (1 negative patient)"),
        ({"validation_patients": [[5, 5]]}, ""),
        ({"validation_patients": [[0, 60]]}, ""),
        ({"validation_positives": [1]}, "PE (1 positive ECG)"),  # cells from before patients were counted
        ({"validation_positives": [11]}, "PE (1 negative ECG)"),  # of 64 records that are not tested 12 decide
        ({}, ""),
    ):
        folder = tmp_path / json.dumps(stated)
        arms = (network("resnet18", "scratch", 1.5), *SOBER)
        make_study(folder, MadeStudy(arms, patients=80, seeds=(0,), deciding=stated))
        found = [one for one in judge(analyse(read_results(folder), resamples=50)[0]).cautions if "threshold" in one]
        words = f"The threshold and calibration of {said} rest on that few in validation, and so mostly on chance."
        assert found == ([words] if said else [])
