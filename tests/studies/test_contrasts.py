from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn
from tests.made_study import MadeStudy, baseline, make_study, network

from ecgenough.scoring.comparison import delong_test
from ecgenough.scoring.repeated import Measured, contrast, measure_units
from ecgenough.studies.contrasts import AUC, Asked, compare, difference, fold_aucs
from ecgenough.studies.questions import Question, ask
from ecgenough.studies.results import read_results

PAIR = {"resnet18 scratch": 1.0, "intervals": -1.0}
ARMS = (network("resnet18", "scratch", 1.4), baseline("intervals", 0.6), baseline("prevalence", None))


def asked(folder: Path, **changes: object) -> tuple[Question, dict[str, Measured]]:
    made = MadeStudy(ARMS, patients=200, **{"seeds": (0,), **changes})  # type: ignore[arg-type]
    (question,) = ask(read_results(make_study(folder / "study", made)))
    return question, {
        arm.name: measure_units({key: question.unit(arm, key) for key in arm.units}, question.patients, resamples=150)
        for arm in question.arms
    }


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


def test_repeated_folds_are_compared_by_the_corrected_t_test(tmp_path: Path) -> None:
    question, measured = asked(tmp_path, folds=4, repeats=3, seeds=(0, 1))
    lead, method = difference(question, measured, PAIR, AUC)
    assert method == "corrected resampled t"
    runs = []
    for repeat in range(3):
        for fold in (1, 2, 3, 4):
            areas = []
            for name, seeds in (("resnet18 scratch", (0, 1)), ("intervals", (0,))):
                found = [question.arm(name).units[seed, repeat][fold][1] for seed in seeds]
                areas.append(
                    np.mean([sklearn.roc_auc_score(one.labels[:, 0], one.probabilities[:, 0]) for one in found])
                )
            runs.append(areas[0] - areas[1])
    assert lead.value == pytest.approx(np.mean(runs))
    # Nadeau & Bengio 2003: variance times 1 / runs + test / train; 50 of 200 tested, 4/5 of the others trained.
    error = np.sqrt(np.var(runs, ddof=1) * (1 / 12 + 50 / 120))
    assert lead.high - lead.value == pytest.approx(stats.t.ppf(0.975, 11) * error)
    assert lead.p == pytest.approx(2 * stats.t.sf(lead.value / error, 11))


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("a", "b"), "titles": ("a", "b"), "prevalence": (0.3, 0.4)},
        {"records_a_patient": 2},
        {"prevalence": (0.01,)},  # fewer than two positives in some fold
    ],
)
def test_everything_else_is_compared_by_the_patient_bootstrap(tmp_path: Path, changes: dict[str, object]) -> None:
    question, measured = asked(tmp_path, folds=3, **changes)
    lead, method = difference(question, measured, PAIR, AUC)
    assert method == "patient bootstrap"
    assert lead == contrast([(1.0, measured["resnet18 scratch"]), (-1.0, measured["intervals"])], AUC)


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


def test_folds_without_positives_have_no_auc(tmp_path: Path) -> None:
    question, _ = asked(tmp_path, folds=5, prevalence=(0.01,), seed=3)
    positives = {fold: int(labels(question, fold).sum()) for fold in range(1, 6)}
    assert 0 < sum(count > 0 for count in positives.values()) < 5
    assert set(fold_aucs(question, question.arm("intervals"))) == {(0, f) for f, count in positives.items() if count}
