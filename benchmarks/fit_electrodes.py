"""Fit the rules for exchanged limb electrodes to a prepared store of PTB-XL, with exchanges planted by algebra.

    python -m benchmarks.fit_electrodes STORE

Writes src/ecgenough/inspection/electrodes.json: how V1-V6 give I and II in P, QRS and T (least squares, each record
weighed by its chest leads' power), a logistic rule for each exchange, and the threshold that so many of the unmodified
records exceed as ALARMS says, in halves that the rule was not fitted to. Folds 1-8 only; `benchmarks.inspection` measures
on fold 9.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from benchmarks.ending import end_with_a_sentence
from ecgenough.files import write_text
from ecgenough.inspection.electrodes import EXCHANGES, FEATURES, Beat, beat_of, features
from ecgenough.progress import track
from ecgenough.signals.delineation import find_beats, prepared, representative_waves
from ecgenough.signals.store import MICROVOLTS, Store

Floats = NDArray[np.float64]

OUT = Path(__file__).parents[1] / "src" / "ecgenough" / "inspection" / "electrodes.json"
FOLDS = tuple(range(1, 9))
ALARMS = {"RA-LA": 0.002, "RA-LL": 0.002, "LA-LL": 0.005}
DECAY = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_electrodes", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--records", type=int, default=8000, help="drawn at random from folds 1-8")
    asked = parser.parse_args()
    store = Store.open(asked.store)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(np.isin(store.folds, FOLDS)))[: asked.records]
    beats = [beat for row in track(rows, "beats", len(rows), "records") if (beat := _beat(store, row)) is not None]
    reconstruction = _reconstruction(np.stack([beat.moments for beat in beats]))
    right = np.stack([features(beat, reconstruction) for beat in beats])
    rules = {}
    for name, way in EXCHANGES.items():
        wrong = np.stack([features(beat.exchanged(way), reconstruction) for beat in beats])
        weights, bias = _logistic(right, wrong)
        halves = np.arange(len(right)) % 2 == 0
        held_out = np.concatenate([_scored(right, wrong, half) for half in (halves, ~halves)])
        threshold = float(np.quantile(held_out, 1 - ALARMS[name]))
        rules[name] = {"weights": weights.round(4).tolist(), "bias": round(bias, 4), "threshold": round(threshold, 2)}
        print(name, rules[name], f"found: {np.mean(wrong @ weights + bias > threshold):.3f}")
    about = {
        "made by": "python -m benchmarks.fit_electrodes",
        "from": f"{store.name}, {len(beats):,} records of folds {FOLDS[0]}-{FOLDS[-1]}",
        "on": str(date.today()),
        "features": list(FEATURES),
        "reconstruction": reconstruction.round(4).tolist(),
        "rules": rules,
    }
    write_text(OUT, json.dumps(about, indent=1) + "\n")


def _beat(store: Store, row: int) -> Beat | None:
    signal = prepared(store.signals[row, :, : store.valid[row]] / np.float32(MICROVOLTS), store.rate)
    waves = representative_waves(signal, find_beats(signal))
    return None if waves is None else beat_of(waves, store.leads)


def _reconstruction(moments: Floats) -> Floats:
    """I and II from V1-V6 in each segment, `[3, 2, 6]`."""
    scaled = moments / (np.trace(moments[:, :, 2:, 2:], axis1=2, axis2=3)[:, :, None, None] + 1e-9)
    whole = scaled.sum(axis=0)
    return np.stack([np.linalg.solve(segment[2:, 2:], segment[2:, :2]).T for segment in whole])


def _logistic(right: Floats, wrong: Floats) -> tuple[Floats, float]:
    """Weights and bias that tell wrong from right, with a little decay on standardised features."""
    table = np.concatenate([right, wrong])
    truth = np.repeat([0.0, 1.0], [len(right), len(wrong)])
    mean, spread = table.mean(axis=0), table.std(axis=0) + 1e-9
    standard = (table - mean) / spread

    def loss(at: Floats) -> tuple[float, Floats]:
        odds = standard @ at[:-1] + at[-1]
        error = expit(odds) - truth
        slope = np.append(standard.T @ error / len(truth) + 2 * DECAY * at[:-1], error.mean())
        return float((np.logaddexp(0, odds) - truth * odds).mean() + DECAY * (at[:-1] ** 2).sum()), slope

    best = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B").x
    weights = best[:-1] / spread
    return weights, float(best[-1] - weights @ mean)


def _scored(right: Floats, wrong: Floats, half: NDArray[np.bool_]) -> Floats:
    """The odds of the unmodified records of one half, by a rule fitted to the other."""
    weights, bias = _logistic(right[~half], wrong[~half])
    return right[half] @ weights + bias


if __name__ == "__main__":
    end_with_a_sentence(main)
