from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sklearn
from tests.made_study import SOBER, MadeStudy, make_study, network

from ecgenough.studies.analysis import BASELINE, BEST, MODES, TRANSFER, Analysis, analyse, measure, measure_all
from ecgenough.studies.questions import ask
from ecgenough.studies.results import read_results

MADE = MadeStudy(
    (*(network(body, mode, skill) for body, skills in {"resnet18": (1.0, 1.2, 1.9), "crnn": (0.8, 0.9, 1.6)}.items()
       for mode, skill in zip(("scratch", "frozen", "full"), skills, strict=True)), *SOBER),
    patients=300, folds=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = make_study(tmp_path_factory.mktemp("studies") / "study", MADE)
    return analyse(read_results(folder), resamples=150)[0]


def test_figures_are_means_over_seeds_of_what_scikit_learn_finds_in_each_fold(found: Analysis) -> None:
    for one in found.standings:
        areas = []
        for unit in one.arm.units.values():
            scored = [answers for _, answers in unit.values()]
            pairs = [a.labels.sum() * (~a.labels).sum() for a in scored]
            folds = [sklearn.roc_auc_score(a.labels[:, 0], a.probabilities[:, 0]) for a in scored]
            areas.append(np.average(folds, weights=pairs))
        assert one.auc.value == pytest.approx(np.mean(areas))
        assert one.auc.low <= one.auc.value <= one.auc.high


def test_arms_stand_in_order_and_the_best_with_all_that_are_not_told_apart(found: Analysis) -> None:
    values = [one.auc.value for one in found.standings]
    assert values == sorted(values, reverse=True)
    assert found.standings[0].best
    lags = {one.second: one for one in found.family(BEST)}
    assert {one.name for one in found.standings if one.tied} == {
        name for name, one in lags.items() if not one.told_apart
    }
    assert found.tied[0] is found.standings[0]
    assert (found.best_network, found.best_baseline) == (
        next(one for one in found.standings if one.arm.is_network),
        next(one for one in found.standings if not one.arm.is_network),
    )


def test_each_family_holds_the_comparisons_it_is_named_for(found: Analysis) -> None:
    sober = found.best_baseline
    assert sober
    assert {(one.first, one.second) for one in found.family(BASELINE)} == {
        (f"{body} {mode}", sober.name) for body in ("resnet18", "crnn") for mode in ("scratch", "frozen", "full")
    }
    assert {(one.first, one.second) for one in found.family(TRANSFER)} == {
        (f"{body} {mode}", f"{body} scratch") for body in ("resnet18", "crnn") for mode in ("frozen", "full")
    }
    assert [(one.first, one.second) for one in found.family(MODES)] == [
        ("frozen", "scratch"), ("full", "scratch"), ("frozen", "full")
    ]  # fmt: skip
    assert len(found.family(BEST)) == len(found.standings) - 1
    assert {one.metric for one in found.comparisons} == {"auc", "average_precision", "brier"}


def test_intervals_p_values_and_marks_rest_on_one_variance(found: Analysis) -> None:
    for one in found.comparisons:
        assert (one.p < 0.05) == (not one.low <= 0 <= one.high), one
    lags = {one.second: one for one in found.family(BEST)}
    for standing in found.standings[1:]:
        assert standing.tied == (lags[standing.name].p_holm >= 0.05)


def test_an_arm_alone_at_its_size_is_lent_what_others_vary_by(tmp_path: Path) -> None:
    arms = (network("resnet18", "scratch", 1.5, sizes=(40, None)), network("crnn_gru", "scratch", 1.0))
    (question,) = ask(read_results(make_study(tmp_path / "study", MadeStudy(arms, patients=120, folds=2, seed_sd=0.3))))
    found = {key: one.macro["auc"] for key, one in measure_all(question, 2).items()}
    own = {
        (arm.name, arm.size): measure(question, arm, 2).macro["auc"].training
        for sizes in question.sized.values()
        for arm in sizes
    }
    whole = [own["resnet18 scratch", None], own["crnn_gru scratch", None]]
    assert found["crnn_gru scratch", None].training == pytest.approx((whole[1] + np.mean(whole)) / 2)
    small = own["resnet18 scratch", 40]
    assert found["resnet18 scratch", 40].training == pytest.approx((small + np.mean([*whole, small])) / 2)


def test_a_mode_s_gain_is_the_mean_over_networks(found: Analysis) -> None:
    gain = next(one for one in found.family(MODES) if one.first == "full" and one.second == "scratch")
    single = [one.value for one in found.family(TRANSFER) if one.first.endswith("full")]
    assert gain.value == pytest.approx(np.mean(single))


def test_subgroups_add_up_and_small_ones_have_no_figures(found: Analysis) -> None:
    for what in ("Sex", "Age"):
        groups = [one for one in found.subgroups if one.what == what]
        assert sum(one.records for one in groups) == 300
        assert sum(one.positives[0] for one in groups) == sum(a.labels.sum() for a in found.question.test_answers)
    unknown = next(one for one in found.subgroups if (one.what, one.name) == ("Age", "unknown"))
    assert set(unknown.figures.values()) == {None}
    women = next(one for one in found.subgroups if one.name == "female")
    assert found.best_network
    figure = women.figures[found.best_network.name]
    assert figure
    areas = []
    for unit in found.best_network.arm.units.values():
        folds = [(a.labels[a.sex == "female", 0], a.probabilities[a.sex == "female", 0]) for _, a in unit.values()]
        pairs = [labels.sum() * (~labels).sum() for labels, _ in folds]
        areas.append(np.average([sklearn.roc_auc_score(*one) for one in folds], weights=pairs))
    assert figure.value == pytest.approx(np.mean(areas))


def test_what_the_intervals_cover_is_said(found: Analysis, tmp_path: Path) -> None:
    assert found.covers.endswith("but not another collection to train on, nor learning a source again")
    once = MadeStudy((network("resnet18", "scratch", 1.0), *SOBER), patients=80, folds=2, seeds=(0,))
    (single,) = analyse(read_results(make_study(tmp_path / "study", once)), resamples=50)
    assert single.covers == "other patients of the same kind, but not training again"


def test_the_same_folder_gives_the_same_numbers(tmp_path: Path) -> None:
    folder = make_study(
        tmp_path / "study", MadeStudy((network("resnet18", "scratch", 1.0), *SOBER), patients=80, folds=2)
    )
    first, again = (analyse(read_results(folder), resamples=60)[0] for _ in range(2))
    assert first.comparisons == again.comparisons
    assert [one.auc for one in first.standings] == [one.auc for one in again.standings]
