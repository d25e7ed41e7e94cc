import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ecgenough.simulation.cohort import BACKGROUND, SIGNS, Cohort, embolism_ceiling, embolism_cohort, superclass_cohort
from ecgenough.simulation.findings import FINDINGS, check_findings


@pytest.fixture(scope="module")
def superclasses() -> Cohort:
    return superclass_cohort(4000, seed=1)


@pytest.fixture(scope="module")
def embolism() -> Cohort:
    return embolism_cohort(20_000, seed=2)


@pytest.mark.parametrize(
    ("superclass", "share"), [("NORM", 0.436), ("MI", 0.251), ("STTC", 0.241), ("CD", 0.225), ("HYP", 0.122)]
)
def test_superclasses_are_as_frequent_as_in_ptb_xl(superclasses: Cohort, superclass: str, share: float) -> None:
    assert np.mean([superclass in label for label in superclasses.labels]) == pytest.approx(share, abs=0.035)


def test_some_records_have_several_superclasses(superclasses: Cohort) -> None:
    several = np.array([len(label) for label in superclasses.labels])
    assert 0.15 < (several > 1).mean() < 0.35
    assert all(len(label) == 1 for label in superclasses.labels if "NORM" in label)


def test_labels_are_those_of_the_findings(superclasses: Cohort) -> None:
    for case, label in zip(superclasses.cases, superclasses.labels, strict=True):
        check_findings(case.findings)
        assert {FINDINGS[name].superclass for name in case.findings} - {""} == label - {"NORM"}


@pytest.mark.parametrize("make", [superclass_cohort, embolism_cohort])
def test_folds_keep_patients_whole_and_classes_even(make: object) -> None:
    cohort = make(927, 0)  # type: ignore[operator]
    patients = np.array([case.patient for case in cohort.cases])
    assert set(cohort.folds) == set(range(1, 11))
    assert all(len(set(cohort.folds[patients == patient])) == 1 for patient in set(patients))
    assert len(set(patients)) < 927
    names = {name for label in cohort.labels for name in label}
    for name in names:
        has = np.array([name in label for label in cohort.labels])
        counts = np.bincount(cohort.folds[has], minlength=11)[1:]
        assert counts.min() >= 0.6 * counts.mean(), name


def test_record_numbers_start_at_one_and_are_unique(superclasses: Cohort) -> None:
    assert [case.record for case in superclasses.cases] == list(range(1, 4001))


def test_embolism_has_its_share_and_signs_are_a_minority(embolism: Cohort) -> None:
    positive = np.array([bool(label) for label in embolism.labels])
    assert positive.mean() == pytest.approx(0.23, abs=0.01)
    for name, sign in SIGNS.items():
        has = np.array([name in case.findings for case in embolism.cases])
        assert has[positive].mean() == pytest.approx(sign.with_embolism, abs=0.025), name
        assert has[~positive].mean() == pytest.approx(sign.without, abs=0.025), name
        assert 0 < has[~positive].mean() < has[positive].mean() < 0.5


def test_background_says_nothing_beyond_the_signs(embolism: Cohort) -> None:
    """Among records without any sign, what patients bring along is as frequent with an embolism as without."""
    bare = [(case, bool(label)) for case, label in zip(embolism.cases, embolism.labels, strict=True)]
    bare = [(case, positive) for case, positive in bare if not case.findings & set(SIGNS)]
    for name, share in BACKGROUND.items():
        for group in (True, False):
            has = np.mean([name in case.findings for case, positive in bare if positive is group])
            assert has == pytest.approx(share, abs=0.02), name


def test_ceiling_is_what_a_logistic_regression_on_the_true_signs_reaches(embolism: Cohort) -> None:
    signs = np.array([[name in case.findings for name in SIGNS] for case in embolism.cases], dtype=float)
    positive = np.array([bool(label) for label in embolism.labels])
    fitted = LogisticRegression().fit(signs[:10_000], positive[:10_000])
    reached = roc_auc_score(positive[10_000:], fitted.decision_function(signs[10_000:]))
    assert embolism_ceiling() == pytest.approx(reached, abs=0.015)
    assert 0.80 <= embolism_ceiling() <= 0.88


def test_a_cohort_is_its_seed() -> None:
    again = superclass_cohort(50, 3)
    assert again.cases == superclass_cohort(50, 3).cases != superclass_cohort(50, 4).cases
