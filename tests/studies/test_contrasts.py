from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn
from tests.made_study import MadeStudy, baseline, make_study, network

from ecgenough.scoring.comparison import delong_test
from ecgenough.scoring.repeated import AUC, Measured
from ecgenough.studies.analysis import measure
from ecgenough.studies.contrasts import Asked, compare, difference
from ecgenough.studies.questions import Question, ask
from ecgenough.studies.results import read_results

PAIR = {"resnet18 scratch": 1.0, "intervals": -1.0}
ARMS = (network("resnet18", "scratch", 1.4), baseline("intervals", 0.6), baseline("prevalence", None))


def asked(folder: Path, **changes: object) -> tuple[Question, dict[str, Measured]]:
    made = MadeStudy(ARMS, patients=200, **{"seeds": (0,), **changes})  # type: ignore[arg-type]
    (question,) = ask(read_results(make_study(folder / "study", made)))
    return question, {arm.name: measure(question, arm, resamples=150) for arm in question.arms}


def scores(question: Question, name: str, fold: int) -> np.ndarray:
    return question.arm(name).units[0, 0][fold][1].probabilities[:, 0]


def labels(question: Question, fold: int) -> np.ndarray:
    return question.arm("intervals").units[0, 0][fold][1].labels[:, 0]


def test_one_test_set_of_one_class_is_compared_by_delong(tmp_path: Path) -> None:
    question, measured = asked(tmp_path, folds=1)
    lead, method = difference(question, measured, PAIR, AUC)
    plain = delong_test(labels(question, 1), scores(question, "resnet18 scratch", 1), scores(question, "intervals", 1))
    assert method == "DeLong"
    assert lead.value == pytest.approx(plain.value)
    error = (plain.high - plain.value) / stats.norm.ppf(0.975)
    freedom = min(labels(question, 1).sum(), (~labels(question, 1)).sum()) - 1
    assert lead.high - lead.value == pytest.approx(stats.t.ppf(0.975, freedom) * error)  # Student's, for few positives
    assert lead.p == pytest.approx(2 * stats.t.sf(lead.value / error, freedom))


def test_folds_of_other_patients_add_their_variances(tmp_path: Path) -> None:
    question, measured = asked(tmp_path, folds=4)
    lead, method = difference(question, measured, PAIR, AUC)
    assert method == "DeLong"
    names = ("resnet18 scratch", "intervals")
    parts = [delong_test(labels(question, f), *(scores(question, n, f) for n in names)) for f in (1, 2, 3, 4)]
    pairs = np.array([labels(question, f).sum() * (~labels(question, f)).sum() for f in (1, 2, 3, 4)], dtype=float)
    errors = np.array([(one.high - one.value) / stats.norm.ppf(0.975) for one in parts])
    assert lead.value == pytest.approx(np.average([one.value for one in parts], weights=pairs))
    assert lead.value == pytest.approx(measured[names[0]].macro[AUC].value - measured[names[1]].macro[AUC].value)
    error = np.sqrt((pairs**2 * errors**2).sum()) / pairs.sum()
    positives = sum(labels(question, f).sum() for f in (1, 2, 3, 4))
    assert lead.high - lead.value == pytest.approx(stats.t.ppf(0.975, positives - 1) * error)


def test_repeated_folds_are_compared_with_the_corrected_variance(tmp_path: Path) -> None:
    question, measured = asked(tmp_path, folds=4, repeats=3, seeds=(0, 1), seed_sd=0.4)
    lead, method = difference(question, measured, PAIR, AUC)
    assert method == "corrected resampled t"
    areas = {}
    for name, arm in ((arm.name, arm) for arm in question.arms):
        for key, unit in arm.units.items():
            sides = [(answers.labels[:, 0], answers.probabilities[:, 0]) for _, answers in unit.values()]
            pairs = [truth.sum() * (~truth).sum() for truth, _ in sides]
            areas[name, key] = np.average([sklearn.roc_auc_score(*one) for one in sides], weights=pairs)
    means = [np.mean([area for (who, _), area in areas.items() if who == name]) for name in PAIR]
    assert lead.value == pytest.approx(means[0] - means[1])
    # Nadeau & Bengio 2003: 1 / units + test / train; 50 of 200 are tested, 4/5 of the others trained on.
    for arm, units in zip(PAIR, (6, 3), strict=True):
        scores = measured[arm].macro[AUC]
        spread = np.var([area for (who, _), area in areas.items() if who == arm], ddof=1)
        assert scores.per_unit == pytest.approx(1 / units + 50 / 120)
        covariances = scores.parts @ scores.parts.T
        shared = (covariances.sum() - np.trace(covariances)) / (units * (units - 1))
        assert scores.training == pytest.approx(spread - np.trace(covariances) / units + shared)


def test_records_of_a_patient_and_several_classes_are_compared_by_delong_too(tmp_path: Path) -> None:
    for place, changes in enumerate(
        ({"records_a_patient": 2}, {"classes": ("a", "b"), "titles": ("a", "b"), "prevalence": (0.3, 0.4)})
    ):
        question, measured = asked(tmp_path / str(place), folds=3, **changes)
        lead, method = difference(question, measured, PAIR, AUC)
        assert method == "DeLong"
        drawn = [measured[name].macro[AUC].shifts.mean(axis=0) for name in PAIR]  # 150 draws of patients
        error = np.std(drawn[0] - drawn[1], ddof=1)
        assert (lead.high - lead.value) / stats.t.ppf(0.975, 50) == pytest.approx(error, rel=0.2)


def test_other_figures_are_never_compared_by_delong(tmp_path: Path) -> None:
    question, measured = asked(tmp_path, folds=1)
    lead, method = difference(question, measured, PAIR, "brier")
    assert method == "patient bootstrap"
    assert lead.value == pytest.approx(
        measured["resnet18 scratch"].macro["brier"].value - measured["intervals"].macro["brier"].value
    )


def test_a_family_is_corrected_by_holm_s_method(tmp_path: Path) -> None:
    question, measured = asked(tmp_path, folds=2)
    pairs = [("resnet18 scratch", "intervals"), ("resnet18 scratch", "prevalence"), ("intervals", "prevalence")]
    wanted = [Asked(one, other, {one: 1.0, other: -1.0}) for one, other in pairs]
    found = compare("all", wanted, AUC, question, measured)
    falling = sorted(found, key=lambda one: one.p)
    by_hand = [3 * falling[0].p, 2 * falling[1].p, falling[2].p]
    steps = np.minimum(1, np.maximum.accumulate(by_hand))
    assert [one.p_holm for one in falling] == pytest.approx(steps.tolist())
    assert {one.of for one in found} == {3}
    assert compare("none", [], AUC, question, measured) == []
