"""scikit-learn's face: its own checks where they apply to ECGs, and the same answers as the Model inside."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.estimator import ECGClassifier
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs

Ecgs = tuple[NDArray[np.float32], NDArray[np.float32], list[str]]


@pytest.fixture(scope="module")
def quick(tiny: Recipe) -> Recipe:
    return tiny.with_changes(["training.epochs=2", "training.batch=32"])


@pytest.fixture(scope="module")
def ecgs(stores: dict[str, Store]) -> Ecgs:
    """120 simulated ECGs in mV, the labels of five classes, and whose they are."""
    store = stores["superclasses"]
    signals = np.asarray(store.signals[:120], dtype=np.float32) / 1000
    return signals, store.task(None).labels[:120], list(store.patients[:120])


@pytest.fixture(scope="module")
def fitted(quick: Recipe, ecgs: Ecgs) -> ECGClassifier:
    signals, labels, patients = ecgs
    names = np.where(labels[:, 0] == 1, "healthy", "ill")
    return ECGClassifier(recipe=quick, rate=100, device="cpu").fit(signals, names, patients)


# --- scikit-learn's checks, which are for tables: a table becomes ECGs of one lead -----------------------------------


class OnTables(ECGClassifier):
    """Takes `[records, features]`: each feature is held for a while, over a wave that keeps the lead from being flat."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> "OnTables":
        return super().fit(_as_ecgs(X), y, groups)

    def _chances(self, X: Any) -> Any:
        return super()._chances(_as_ecgs(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array, tags.input_tags.allow_nan = True, False, False
        return tags

    def __repr__(self, N_CHAR_MAX: int = 0) -> str:
        return "OnTables"


def _as_ecgs(table: Any) -> Any:
    values = np.asarray(table)
    if values.ndim != 2 or 0 in values.shape:
        return table
    if values.dtype.kind not in "fiu":
        return np.repeat(values, 200, axis=1)[:, None, :400]
    held = np.repeat(values / 100, -(-400 // values.shape[1]), axis=1)[:, None, :400]
    return held + 0.1 * np.sin(np.arange(400) / 5)


# What cannot hold here, and why.
NOT_FOR_ECGS = {
    "check_classifiers_train": "asks for accuracy, which two passes over 200 records do not give",
    "check_methods_subset_invariance": "float32 sums round by the size of a batch: 1e-6, and it asks for 1e-7",
    "check_fit2d_1feature": "one feature makes an ECG as good as any other",
    "check_n_features_in_after_fitting": "counts leads, of which a table has one here; and its records are too few",
    "check_n_features_in": "counts leads, of which a table has one here",
    "check_estimators_nan_inf": "NaN marks lost samples, and up to half of a lead may be",
}


def _on_tables() -> OnTables:
    settings = "{leads: [I], rate: 100, duration: 4}"
    recipe = Recipe().with_changes(
        [f"signal={settings}", "network.options.width=4", "training.epochs=1", "training.batch=32", "training.ema=null"]
    )
    return OnTables(recipe=recipe, rate=100, leads=("I",), device="cpu", validation=0.2)


@parametrize_with_checks([_on_tables()], expected_failed_checks=lambda _: NOT_FOR_ECGS, xfail_strict=True)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_s_own_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


# --- what it answers -------------------------------------------------------------------------------------------------


def test_it_says_what_the_model_inside_says(fitted: ECGClassifier, ecgs: Ecgs) -> None:
    signals, _, _ = ecgs
    chances = fitted.predict_proba(signals[:5])
    assert fitted.classes_.tolist() == ["healthy", "ill"]
    for row, chance in zip(signals[:5], chances, strict=True):
        alone = fitted.model_.predict(Ecg(row, 100, fitted.leads))
        assert alone.classes == ("ill",)
        assert chance[1] == pytest.approx(alone.probabilities[0], abs=1e-5)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert (fitted.predict(signals) == np.where(fitted.predict_proba(signals)[:, 1] > 0.5, "ill", "healthy")).all()
    assert fitted.history_["epoch"].tolist() == [1, 2]


def test_any_rate_and_order_of_leads_will_do(fitted: ECGClassifier, ecgs: Ecgs) -> None:
    """Turned around and with the derived leads left out, the same ECGs get the same answers."""
    signals, _, _ = ecgs
    other = clone(fitted).set_params(leads=tuple(reversed(fitted.leads)))
    other.__dict__ |= {name: value for name, value in vars(fitted).items() if name.endswith("_")}
    np.testing.assert_allclose(other.predict_proba(signals[:4, ::-1]), fitted.predict_proba(signals[:4]), atol=1e-6)


def test_same_records_same_seed_same_answers(fitted: ECGClassifier, ecgs: Ecgs) -> None:
    signals, labels, patients = ecgs
    again = clone(fitted).fit(signals, np.where(labels[:, 0] == 1, "healthy", "ill"), patients)
    np.testing.assert_array_equal(again.predict_proba(signals), fitted.predict_proba(signals))
    other = clone(fitted).set_params(random_state=5).fit(signals, labels[:, 0], patients)
    assert other.model_.recipe.seed == 5


def test_it_survives_being_pickled_and_saved(fitted: ECGClassifier, ecgs: Ecgs, tmp_path: Path) -> None:
    signals, _, _ = ecgs
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict_proba(signals[:3]), fitted.predict_proba(signals[:3]))
    fitted.model_.save(tmp_path / "model")
    carried = ECGClassifier(pretrained=tmp_path / "model", rate=100, settings={"training.epochs": 1}, device="cpu")
    with pytest.raises(WrongRequest, match="among those the source model learned from"):
        carried.fit(signals, np.arange(120) % 2)


def test_a_pretrained_model_is_carried_over(
    stores: dict[str, Store], quick: Recipe, ecgs: Ecgs, tmp_path: Path
) -> None:
    signals, labels, _ = ecgs
    source = runs.train(stores["embolism"], quick.with_changes(["training.epochs=1"]), tmp_path / "source", "cpu")
    settings = {"transfer.mode": "frozen", "training.epochs": 1}
    classifier = ECGClassifier(pretrained=source, rate=100, settings=settings, device="cpu").fit(signals, labels)
    assert classifier.predict_proba(signals[:4]).shape == (4, 5)
    assert classifier.predict(signals[:4]).shape == (4, 5)
    assert classifier.model_.origin["source"] == str(source)
    with pytest.raises(WrongRequest, match="brings its own network"):
        ECGClassifier("resnet18", pretrained=source, rate=100).fit(signals, labels)


def test_three_classes_share_one(quick: Recipe, ecgs: Ecgs) -> None:
    signals, labels, _ = ecgs
    three = np.where(labels[:, 0] == 1, 10, np.where(labels[:, 1] == 1, 20, 30))
    classifier = ECGClassifier(recipe=quick, rate=100, device="cpu", validation=0.2).fit(signals, three)
    chances = classifier.predict_proba(signals)
    assert classifier.classes_.tolist() == [10, 20, 30]
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_array_equal(classifier.predict(signals), classifier.classes_[chances.argmax(axis=1)])


def test_it_goes_into_pipelines_and_cross_validation(quick: Recipe, ecgs: Ecgs) -> None:
    """The folds' areas under the curve are those of fitting by hand; microvolts are scaled by a step before."""
    signals, labels, patients = ecgs
    ill = 1 - labels[:, 0].astype(int)
    classifier = ECGClassifier(recipe=quick, rate=100, device="cpu", settings={"training.epochs": 1})
    pipeline = make_pipeline(FunctionTransformer(lambda microvolts: microvolts / 1000), classifier)
    folds = list(GroupKFold(2).split(signals, ill, patients))
    scores = cross_val_score(pipeline, signals * 1000, ill, cv=folds, scoring="roc_auc")
    train, test = folds[0]
    by_hand = clone(classifier).fit(signals[train], ill[train]).predict_proba(signals[test])[:, 1]
    assert scores[0] == pytest.approx(roc_auc_score(ill[test], by_hand), abs=1e-3)


def test_a_grid_goes_over_recipe_keys_and_groups_keep_patients_whole(quick: Recipe, ecgs: Ecgs) -> None:
    """The patients that `groups` names reach the classifier through the search (metadata routing)."""
    signals, labels, patients = ecgs
    grid = {"settings": [{"training.epochs": 1}, {"training.epochs": 1, "optimizer.learning_rate": 1e-9}]}
    with config_context(enable_metadata_routing=True):
        classifier = ECGClassifier(recipe=quick, rate=100, device="cpu").set_fit_request(groups=True)
        search = GridSearchCV(classifier, grid, cv=GroupKFold(2), scoring="average_precision", refit=False)
        search.fit(signals, 1 - labels[:, 0].astype(int), groups=patients)
    results = search.cv_results_
    assert results["param_settings"].tolist() == grid["settings"]
    assert results["mean_test_score"][0] != results["mean_test_score"][1]
    assert np.isfinite(results["mean_test_score"]).all()


def test_asked_before_it_was_fitted_it_says_so(quick: Recipe, ecgs: Ecgs) -> None:
    classifier = ECGClassifier(recipe=quick, rate=100)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        classifier.predict(ecgs[0][:2])
    assert clone(classifier.set_params(random_state=3)).get_params()["random_state"] == 3


def test_other_leads_than_it_learned_from_are_refused(fitted: ECGClassifier, ecgs: Ecgs) -> None:
    assert fitted.n_features_in_ == 12
    with pytest.raises(ValueError, match="X has 8 features, but ECGClassifier is expecting 12 features as input"):
        fitted.predict(ecgs[0][:3, :8])


def test_its_score_is_the_accuracy_of_its_labels(fitted: ECGClassifier, ecgs: Ecgs) -> None:
    signals, labels, _ = ecgs
    names = np.where(labels[:, 0] == 1, "healthy", "ill")
    assert fitted.score(signals, names) == pytest.approx((fitted.predict(signals) == names).mean())


@pytest.mark.parametrize(
    ("parameters", "change", "sentence"),
    [
        ({"rate": None}, lambda x: x, "say rate=..., in Hz"),
        ({}, lambda x: x[:, :8], r"with 12 leads; it is \[120, 8, 1000\]"),
        ({}, lambda x: x * 1000, "is it in µV"),
        ({"network": "resnet19"}, lambda x: x, 'Nearest: "resnet1'),
        ({"settings": {"training.epoch": 3}}, lambda x: x, 'Nearest: "training.epochs"'),
        ({"validation": 0.9}, lambda x: x, "it is 0.9"),
        ({"leads": ("I", "I", *"abcdefghij")}, lambda x: x, "lead I is there twice"),
    ],
)
def test_a_wrong_request_gets_one_sentence(
    quick: Recipe, ecgs: Ecgs, parameters: dict[str, Any], change: Any, sentence: str
) -> None:
    signals, labels, _ = ecgs
    with pytest.raises(ValueError, match=sentence):
        ECGClassifier(**{"recipe": quick, "rate": 100, "device": "cpu", **parameters}).fit(change(signals), labels)


def test_a_broken_record_is_named(fitted: ECGClassifier, ecgs: Ecgs) -> None:
    signals = ecgs[0][:40].copy()
    signals[37] = 0
    with pytest.raises(BrokenRecord, match="record 37: the recording is flat"):
        fitted.predict(signals)


def test_a_baseline_that_teaches_is_refused_and_leaves_nothing_in_the_working_folder(
    quick: Recipe, ecgs: Ecgs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    signals, labels, _ = ecgs
    settings = {"distillation.teachers": [], "distillation.baselines": ["prevalence"]}
    with pytest.raises(WrongRequest, match="beside a prepared store"):
        ECGClassifier(recipe=quick, rate=100, settings=settings, device="cpu").fit(signals, labels)
    assert not list(tmp_path.iterdir())


def test_a_validation_of_one_label_is_refused_before_training(quick: Recipe, ecgs: Ecgs) -> None:
    signals, _, _ = ecgs
    with pytest.raises(WrongRequest, match="all of the 6 records kept for validation have the same label"):
        ECGClassifier(recipe=quick, rate=100).fit(signals[:60], np.arange(60) == 4)


def test_lost_samples_are_bridged(fitted: ECGClassifier, ecgs: Ecgs) -> None:
    """A gap of 40 ms changes the answer by little, and is no error."""
    signals = ecgs[0][:8].copy()
    whole = fitted.predict_proba(signals)
    signals[:, 2, 300:304] = np.nan
    assert np.abs(fitted.predict_proba(signals) - whole).max() < 0.05
