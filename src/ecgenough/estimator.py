"""scikit-learn's face: a classifier of arrays, for cross_val_score, pipelines and grids."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgenough import networks
from ecgenough.datasets.folds import make_folds
from ecgenough.datasets.table import Task
from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import WrongRequest
from ecgenough.extras import needed
from ecgenough.learning.training import open_fabric
from ecgenough.model import Model
from ecgenough.progress import hushed
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.sentences import counted
from ecgenough.signals.in_memory import conditioned_counts, store_of
from ecgenough.signals.store import LARGEST, MICROVOLTS, waveform_hash
from ecgenough.studies import runs

_base: Any = needed("sklearn.base", "baselines", "ECGClassifier")
_Classifier: Any = _base.ClassifierMixin
_Estimator: Any = _base.BaseEstimator
_multiclass = needed("sklearn.utils.multiclass", "baselines", "ECGClassifier")
_validation = needed("sklearn.utils.validation", "baselines", "ECGClassifier")

TASK = "labels"
Floats = NDArray[np.float64]


class ECGClassifier(_Classifier, _Estimator):  # type: ignore[misc]
    """A network that learns from `X` `[records, leads, samples]` in mV; NaN marks samples that were lost.

    Parameters
    ----------
    network : a name from `ecgenough networks`; the recipe's own unless given.
    recipe : a shipped recipe's name, a YAML file's path, or a Recipe; "default", or "transfer" with `pretrained`.
    pretrained : the folder of a model to carry over, as the recipe's section transfer says.
    rate : the sampling rate of X in Hz. It is never guessed.
    leads : the names of the leads of X, in order.
    settings : further recipe keys with their values, such as {"training.epochs": 5}.
    validation : the share of patients that choose the epoch and calibrate, dealt from the records given to `fit`.
    device : auto, cpu or cuda.
    random_state : takes the place of the recipe's seed.
    verbose : whether to tell every epoch.

    Attributes
    ----------
    classes_ : the labels, or for an indicator matrix the numbers of its columns.
    model_ : the trained Model; `model_.save(folder)` makes it one for every command of ecgenough.
    history_ : a table of the epochs, as log.csv has them.

    `y` is one label a record, or a matrix of 0 and 1 with a column a class. Probabilities are calibrated on the
    validation records. `predict` takes the likeliest label, or in a matrix every class of 0.5 and more;
    `model_.thresholds` has the thresholds that balance sensitivity and specificity.

    >>> store = ecgenough.open_store("simulated", Path("ecgs"), ecgenough.load_recipe("fast").signal)
    >>> X = store.signals[:80] / 1000  # a store counts in µV
    >>> y = store.task("superdiagnostic").labels[:80, 0]
    >>> quick = {"network.options.width": 4, "training.epochs": 1}
    >>> classifier = ecgenough.ECGClassifier(recipe="fast", rate=100, settings=quick, device="cpu")
    >>> classifier.fit(X, y, groups=store.patients[:80]).predict_proba(X[:3]).shape
    (3, 2)
    """

    def __init__(
        self,
        network: str | None = None,
        recipe: str | Recipe | None = None,
        pretrained: str | Path | None = None,
        *,
        rate: float | None = None,
        leads: Sequence[str] = STANDARD_LEADS,
        settings: Mapping[str, Any] | None = None,
        validation: float = 0.1,
        device: str = "auto",
        random_state: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.pretrained = pretrained
        self.rate = rate
        self.leads = leads
        self.settings = settings
        self.validation = validation
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Train on `X` and `y`; `groups`, one a record, says whose it is, so that no patient trains and validates.

        Raises WrongRequest where parameters do not fit, and BrokenRecord, naming the record, for one that is unusable.
        """
        signals, truth = _validation.validate_data(
            self, X, y, dtype=np.float32, allow_nd=True, ensure_all_finite="allow-nan", multi_output=True
        )
        labels = self._labels(truth)
        recipe = self._recipe()
        counts, valid = self._conditioned(signals, recipe)
        patients = self._patients(groups, counts)
        task = Task(TASK, tuple(map(str, self._columns())), labels, np.ones(len(labels), dtype=bool))
        store = store_of(counts, valid, recipe.signal, task, patients, self._folds(patients, labels, recipe.seed))
        with TemporaryDirectory(prefix="ecgenough-") as folder, hushed(not self.verbose):
            run = Path(folder) / "run"
            if self.pretrained is None:
                runs.train(store, recipe, run, self.device)
            else:
                runs.transfer(self.pretrained, store, recipe, run, self.device)
            device = open_fabric(recipe.training.precision, self.device).device
            self.model_ = Model.load(run, device)
            self.history_ = pd.read_csv(run / "log.csv")
        return self

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probabilities `[records, classes]`, in the order of `classes_`; of one label a record they add up to 1."""
        chances = self._chances(X)
        if self.multilabel_:
            return chances
        if len(self.classes_) == 2:
            return np.column_stack([1 - chances[:, 0], chances[:, 0]])
        total = chances.sum(axis=1, keepdims=True)
        return np.asarray(np.where(total > 0, chances / np.maximum(total, 1e-300), 1 / len(self.classes_)))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest label of each record, or for an indicator matrix 1 where the probability is at least 0.5."""
        chances = self.predict_proba(X)
        if self.multilabel_:
            return (chances >= 0.5).astype(np.int64)
        labels: NDArray[Any] = self.classes_[chances.argmax(axis=1)]
        return labels

    def _chances(self, X: ArrayLike) -> Floats:
        """Calibrated probabilities of the model's own classes."""
        _validation.check_is_fitted(self, "model_")
        signals = _validation.validate_data(
            self, X, dtype=np.float32, allow_nd=True, ensure_all_finite="allow-nan", reset=False
        )
        counts, valid = self._conditioned(signals, self.model_.recipe)
        logits = self.model_.logits_of(counts, np.full(len(counts), valid, dtype=np.int64))
        return np.asarray(self.model_.probabilities(logits))

    def _recipe(self) -> Recipe:
        """The recipe with everything that the parameters change. Raises WrongRequest where they do not go together."""
        chosen = self.recipe or ("transfer" if self.pretrained else "default")
        recipe = chosen if isinstance(chosen, Recipe) else load_recipe(str(chosen))
        changes: list[tuple[str, Any]] = [("network.name", self.network)] if self.network else []
        changes += list((self.settings or {}).items())
        if self.random_state is not None:
            changes.append(("seed", int(self.random_state)))
        recipe = recipe.with_values(changes).model_copy(update={"task": TASK})
        if recipe.distillation is not None and recipe.distillation.baselines:
            raise WrongRequest(
                "a baseline that teaches keeps its answers beside a prepared store, and X has none. Leave "
                "distillation.baselines out, or use ecgenough.train."
            )
        if self.pretrained is not None:
            if self.network is not None:
                raise WrongRequest("a pretrained model brings its own network; leave network out.")
            return runs.recipe_for_transfer(Model.load(self.pretrained), recipe)
        if recipe.network.name in networks.FITTED:
            raise WrongRequest(
                f"{recipe.network.name} keep their measurements beside a prepared store, and X has none; use ecgenough.train."
            )
        networks.check_recipe(recipe)
        return recipe

    def _conditioned(self, signals: NDArray[np.float32], recipe: Recipe) -> tuple[NDArray[np.int16], int]:
        if signals.ndim != 3 or signals.shape[1] != len(self.leads):
            raise WrongRequest(
                f"X must be [records, leads, samples] with {counted(len(self.leads), 'lead')}; it is {list(signals.shape)}. "
                "Name its leads with leads=..."
            )
        if self.rate is None:
            raise WrongRequest("the sampling rate of X is not known: say rate=..., in Hz.")
        counts, valid = conditioned_counts(signals, self.rate, self.leads, recipe.signal)
        beyond = (np.abs(counts) >= LARGEST).any(axis=(1, 2)).mean()
        if beyond > 0.5:
            raise WrongRequest(
                f"{beyond:.0%} of the records go beyond ±{LARGEST / MICROVOLTS:g} mV. X must be in mV; is it in µV?"
            )
        return counts, valid

    def _labels(self, truth: NDArray[Any]) -> NDArray[np.float32]:
        """The labels as 0 and 1 `[records, columns]`; sets `classes_`. Of two labels, the second is the one column."""
        _multiclass.check_classification_targets(truth)
        self.multilabel_ = _multiclass.type_of_target(truth) == "multilabel-indicator"
        if self.multilabel_:
            self.classes_ = np.arange(truth.shape[1])
            return np.asarray(truth, dtype=np.float32)
        flat = _validation.column_or_1d(truth, warn=True)
        self.classes_ = np.unique(flat)
        if len(self.classes_) < 2:
            raise WrongRequest(f"y has one class only, {self.classes_[0]}; a classifier needs at least two classes.")
        columns: NDArray[np.float32] = (flat[:, None] == self._columns()[None]).astype(np.float32)
        return columns

    def _columns(self) -> NDArray[Any]:
        """The classes that the network has an output for."""
        columns: NDArray[Any] = self.classes_
        return columns[1:] if not self.multilabel_ and len(columns) == 2 else columns

    def _patients(self, groups: ArrayLike | None, counts: NDArray[np.int16]) -> list[str]:
        """Whose each record is; without groups, its own waveform's, so that no other array has one of that name."""
        if groups is None:
            return [f"{waveform_hash(row.tobytes()):016x}" for row in counts]
        names = [str(name) for name in np.asarray(groups).ravel().tolist()]
        if len(names) != len(counts):
            raise WrongRequest(
                f"groups has {counted(len(names), 'entry', 'entries')} for {counted(len(counts), 'record')}."
            )
        return names

    def _folds(self, patients: list[str], labels: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
        if not 0 < self.validation <= 0.5:
            raise WrongRequest(
                f"validation is a share of the patients, above 0 and up to 0.5; it is {self.validation}."
            )
        folds = min(max(2, round(1 / self.validation)), len(set(patients)))
        if folds < 2:
            raise WrongRequest(
                "X has one sample only, or the records of one patient; training and validation need two."
            )
        dealt = make_folds(patients, labels, folds, seed)
        chosen_on = labels[dealt == folds]
        if not (chosen_on.any(axis=0) & ~chosen_on.all(axis=0)).any():
            raise WrongRequest(
                f"all of the {counted(len(chosen_on), 'record')} kept for validation have the same label. "
                "Give fit more records, or a larger share to validate on: validation=..."
            )
        return dealt

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_label = True
        return tags
