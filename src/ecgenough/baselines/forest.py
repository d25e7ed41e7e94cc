"""The trees of `intervals` as arrays: a model that is kept without pickles and answers without scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import logit

from ecgenough import networks
from ecgenough.baselines.contract import Rows
from ecgenough.baselines.intervals import Intervals
from ecgenough.datasets.joint import columns_by_task
from ecgenough.networks.caliper_trees import CaliperTrees
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store

LARGEST = float(np.finfo(np.float32).max)  # for infinity, by which a tree parts what was found from what was not


def fit_caliper_trees(store: Store, task: str, rows: Rows, seed: int, normaliser: Normaliser) -> CaliperTrees:
    """The baseline `intervals`, fitted on `rows` for each task that `task` is made of, as one network.

    Reads what `normaliser` gives, of kind none or scale. Raises what `Intervals.fit` does.
    """
    truth = store.task(task)
    known = ~np.isnan(truth.labels[rows])
    fitted: list[Any] = []
    for part, columns in columns_by_task(task, truth.classes).items():
        learned = rows[known[:, columns].all(axis=1)]
        fitted.extend(Intervals.fit(store, part, learned, seed).classifiers.fitted)
    return as_network(fitted, store.leads, store.rate, normaliser)


def as_network(fitted: Sequence[Any], leads: tuple[str, ...], rate: float, normaliser: Normaliser) -> CaliperTrees:
    """scikit-learn's boosted trees, one classifier a class (or its share, where it had one outcome), as a network."""
    forests = [[] if isinstance(one, float) else [_nodes(tree) for (tree,) in one._predictors] for one in fitted]
    trees = max(1, *map(len, forests))
    nodes = max((len(tree) for forest in forests for tree in forest), default=1)
    depth = max((int(tree["depth"].max()) for forest in forests for tree in forest), default=1) or 1
    options = {"lead_names": " ".join(leads), "rate": float(rate), "trees": trees, "nodes": nodes, "depth": depth}
    network = networks.build("caliper_trees", leads=len(leads), classes=len(fitted), **options)
    assert isinstance(network, CaliperTrees)
    for place, (one, forest) in enumerate(zip(fitted, forests, strict=True)):
        network.start[place] = float(logit(one)) if isinstance(one, float) else float(one._baseline_prediction.item())
        for number, tree in enumerate(forest):
            _put(network, (place, number), tree)
    if normaliser.scale is not None:
        network.scale.copy_(normaliser.scale)
    return network.eval()


def _nodes(tree: Any) -> np.ndarray[Any, Any]:
    return np.asarray(tree.nodes)


def _put(network: CaliperTrees, place: tuple[int, int], tree: np.ndarray[Any, Any]) -> None:
    leaf, itself = tree["is_leaf"].astype(bool), np.arange(len(tree))
    if (tree["left"] != itself + 1)[~leaf].any():
        raise RuntimeError(
            "this scikit-learn does not lay its trees out depth first: install another one, or mend `forest`"
        )
    told = {
        "feature": np.where(leaf, 0, tree["feature_idx"]),
        "number": np.where(leaf, tree["value"], tree["num_threshold"]).clip(-LARGEST, LARGEST),
        "right": np.where(leaf, itself, tree["right"]),
        "missing_left": tree["missing_go_to_left"],
    }
    for name, values in told.items():
        array = getattr(network, name)
        array[place][: len(tree)] = torch.from_numpy(values.copy()).to(array.dtype)
