"""Do a study's 95% intervals hold the truth in 95% of studies? Simulated studies of which the truth is known.

Each study has three arms: A, B which is worse, and C which is as good as A. Positives lie higher than negatives; what is hard
about a patient is shared by all trainings and arms, and every training adds skill and noise of its own. In "learned" the
networks are ridge regressions that really are trained, fold by fold, on random features of their own, and the truth is their
expected AUC on new patients over training sets of that size. Figures, intervals and tests are those of `scoring.repeated`, as a
study's report has them.

    python -m benchmarks.coverage                 # 1,000 studies of each kind; a few minutes on one free core
    python -m benchmarks.coverage --studies 100 --kinds learned
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts; processes are what runs at once

import argparse
import shlex
import sys
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.metadata import version
from multiprocessing import Pool
from multiprocessing.pool import Pool as Processes
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ecgenough.files import write_text
from ecgenough.scoring.folds import area_parts
from ecgenough.scoring.metrics import METRICS
from ecgenough.scoring.repeated import AUC, Measured, contrast, interval, moderated, scores_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Dealt = NDArray[np.int64]
TRUTH_DRAWS = 200_000
WIDE, NARROW = 0.97, 0.93
SKILL = {"A": 1.3, "B": 0.9, "C": 1.3}
OTHER_SKILL = 1.1
FEATURES, USED, STRENGTH = 30, 12, 0.30
HEADER = """\
| kind of study | patients, positive | trainings | true AUC of A | A covered | A less B covered | A less C covered |
| --- | --- | --- | --- | --- | --- | --- |
"""
PAGE = """\
# Coverage of the 95% intervals

- Command: `{command}`
- {studies:,} simulated studies of each kind. Of a true coverage of {narrow:.0%} to {wide:.0%}, chance alone shows {low:.1%}
  to {high:.1%}, 95 times of 100.
- Versions: {versions}; {date}
- Arms: A; B, which is worse; C, as good as A. One less the last column is the share of false alarms at p < 0.05.
- *matter*: skill varies by 0.15 standard deviations from training to training, which moves an AUC by 0.027; otherwise by 0.05.
- In all kinds but "by itself", one seed's training is as lucky or unlucky in all of its folds.

{table}
Of these {shares} shares, {inside} are within {narrow:.0%} to {wide:.0%} give or take chance.{outside}

Where trainings hardly differ in skill but each errs on other patients, as in "learned", two of them look as if they might differ,
and intervals of differences err to the wide side. That is the price of not being too narrow where two seeds matter much.

## What the intervals do not cover

Another collection of training records. Here networks are trained without any chance of their own, on all features of only 120
patients, so that all that could come out differently is the patients, also those learned from (A and C are one network then):

{beyond}"""


@dataclass(frozen=True)
class Kind:
    """A kind of study. `seed_sd` is by how much skill differs between trainings, of A and of others; `own` how noisy each is.

    `alike` says that a seed's luck is the same in all its folds. `networks` is how many arms were trained as often as A; the
    others are baselines, trained once.
    """

    name: str
    patients: int = 300
    prevalence: float = 0.2
    classes: int = 1
    folds: int = 5
    seeds: int = 2
    repeats: int = 1
    records: int = 1  # of each patient
    seed_sd: tuple[float, float] = (0.05, 0.05)
    own: float = 0.5
    alike: bool = True
    networks: int = 3
    learned: bool = False
    used: int = USED  # features, of FEATURES

    @property
    def arms(self) -> dict[str, float]:
        return SKILL | {f"D{number}": OTHER_SKILL for number in range(self.networks - len(SKILL))}

    def spread(self, arm: str) -> float:
        """By how much an arm's skill differs between trainings; a baseline's does not."""
        return self.seed_sd[arm != "A"] if self.is_network(arm) else 0.0

    def trained(self, arm: str) -> int:
        """How often an arm was trained in each repeat."""
        return self.seeds if self.is_network(arm) else 1

    def is_network(self, arm: str) -> bool:
        return list(self.arms).index(arm) < self.networks


MATTER = (0.15, 0.15)
KINDS = (
    Kind("one test set, one training", folds=1, seeds=1, seed_sd=(0, 0)),
    Kind("one test set, 5 seeds", folds=1, seeds=5),
    Kind("5 folds, 1 seed", seeds=1, seed_sd=(0, 0)),
    Kind("5 folds, 2 seeds"),
    Kind("5 folds, 2 seeds, all equally skilled", seed_sd=(0, 0)),
    Kind("5 folds, 2 seeds, seeds matter", seed_sd=MATTER),
    Kind("5 folds, 2 seeds, seeds matter, each fold by itself", seed_sd=MATTER, alike=False),
    Kind("5 folds, 2 seeds, seeds matter to A alone", seed_sd=(0.15, 0.05)),
    Kind("5 folds, 2 seeds, seeds matter, C a baseline", seed_sd=MATTER, networks=2),
    Kind("5 folds, 2 seeds, seeds matter, 8 networks", seed_sd=MATTER, networks=8),
    Kind("5 folds, 2 seeds, seeds matter, B and C baselines", seed_sd=MATTER, networks=1),
    Kind("5 folds, 3 seeds, seeds matter", seeds=3, seed_sd=MATTER),
    Kind("5 folds, 3 repeats", repeats=3, seeds=1),
    Kind("5 folds, 2 seeds, 3 records a patient", patients=150, prevalence=0.3, records=3),
    Kind("5 folds, 2 seeds, 3 classes", classes=3),
    Kind("learned, 5 folds, 1 seed", seeds=1, learned=True),
    Kind("learned, 5 folds, 2 seeds", learned=True),
    Kind("learned, 5 folds, 3 repeats", repeats=3, seeds=1, learned=True),
)
BEYOND = Kind(
    "learned, 5 folds, 1 seed, few patients", patients=120, prevalence=0.3, seeds=1, learned=True, used=FEATURES
)


def main() -> None:
    asked = _arguments()
    with Pool(asked.jobs) as pool:
        chosen = [kind for kind in KINDS if asked.kinds in kind.name]
        found = [_measured(pool, kind, asked.studies) for kind in chosen]
        rows = [_row(kind, truth, shares) for kind, (truth, shares) in zip(chosen, found, strict=True)]
        beyond = _row(BEYOND, *_measured(pool, BEYOND, asked.studies))
    low, high = (share + sign * _chance(share, asked.studies) for share, sign in ((NARROW, -1), (WIDE, 1)))
    shares = np.concatenate([shares for _, shares in found])
    outside = [share for share in shares if not low <= share <= high]
    page = PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks.coverage", *sys.argv[1:]]),
        studies=asked.studies,
        narrow=NARROW,
        wide=WIDE,
        low=low,
        high=high,
        versions=", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy")),
        date=date.today(),
        table=HEADER + "\n".join(rows) + "\n",
        shares=len(shares),
        inside=len(shares) - len(outside),
        outside=f" Outside: {', '.join(f'{share:.1%}' for share in outside)}." if outside else "",
        beyond=HEADER + beyond + "\n",
    )
    write_text(asked.out, page)


def _chance(share: float, studies: int) -> float:
    return float(1.96 * np.sqrt(share * (1 - share) / studies))


def _measured(pool: Processes, kind: Kind, studies: int) -> tuple[dict[str, float], Floats]:
    """The truth of a kind and the shares of its studies whose intervals hold it."""
    truth = true_aucs(kind)
    shares = np.mean(pool.map(partial(one_study, kind, truth), range(studies), chunksize=10), axis=0)
    print(_row(kind, truth, shares), flush=True)
    return truth, shares


def _row(kind: Kind, truth: dict[str, float], shares: Floats) -> str:
    positive = f"{kind.patients}, {kind.prevalence:.0%}"
    covered = " | ".join(f"{share:.1%}" for share in shares)
    return f"| {kind.name} | {positive} | {kind.seeds * kind.repeats} x {kind.folds} | {truth['A']:.3f} | {covered} |"


def one_study(kind: Kind, truth: dict[str, float], seed: int) -> list[bool]:
    """Whether the intervals of A, of A less B and of A less C hold the truth."""
    measured = simulated(kind, np.random.default_rng((seed, 7)))
    alike = [name for name in measured if kind.is_network(name)]
    measured |= zip(alike, moderated([measured[name] for name in alike]), strict=True)
    one = interval(measured["A"], AUC)
    leads = {other: contrast([(1, measured["A"]), (-1, measured[other])], AUC) for other in ("B", "C")}
    differences = [lead.low <= truth["A"] - truth[other] <= lead.high for other, lead in leads.items()]
    return [one.low <= truth["A"] <= one.high, *differences]


def true_aucs(kind: Kind) -> dict[str, float]:
    """The expected AUC of each arm: over trainings, and in "learned" over training sets, on endlessly many patients."""
    rng = np.random.default_rng(1)
    if not kind.learned:
        noise = np.sqrt(2 * (1 + kind.own**2))
        drawn = rng.normal(size=TRUTH_DRAWS)
        return {
            name: float(stats.norm.cdf((skill + kind.spread(name) * drawn) / noise).mean())
            for name, skill in SKILL.items()
        }
    train = kind.patients * (kind.folds - 1) // kind.folds
    found = {name: [] for name in SKILL}  # type: dict[str, list[float]]
    for _ in range(4000):
        labels, features = _patients(kind, rng, train)
        for name in SKILL:
            weights = _trained(kind, name, labels, features, rng)
            # Along weights w, the classes are normal with means w.m apart and variance w.w on both sides.
            found[name].append(float(stats.norm.cdf(weights @ _means() / np.sqrt(2 * weights @ weights))))
    return {name: float(np.mean(values)) for name, values in found.items()}


def simulated(kind: Kind, rng: np.random.Generator) -> dict[str, Measured]:
    """One study's arms, measured as `scoring.repeated.measure_units` does; of several classes, the macro AUC."""
    person = np.repeat(np.arange(kind.patients), kind.records)
    labels, features = _patients(kind, rng, kind.patients)
    of_people = labels[person]
    hard = (
        np.sqrt(0.5) * rng.normal(size=(kind.patients, kind.classes))[person]
        + np.sqrt(0.5) * rng.normal(size=of_people.shape)
        if kind.records > 1
        else rng.normal(size=of_people.shape)
    )
    found: dict[str, list[tuple[Floats, Floats]]] = {name: [] for name in kind.arms}
    for _ in range(kind.repeats):
        dealt = _deal(rng, labels[:, 0], kind.folds)[person]
        units = [(name, skill) for name, skill in kind.arms.items() for _ in range(kind.trained(name))]
        logits = np.stack([
            _cross_fitted(kind, name, labels, features, dealt, rng)
            if kind.learned
            else of_people * _skills(kind, name, skill, dealt, rng) + hard + kind.own * rng.normal(size=of_people.shape)
            for name, skill in units
        ])  # fmt: skip
        columns = range(kind.classes)
        both = [area_parts(of_people[:, c], logits[..., c], dealt, person, kind.patients) for c in columns]
        areas, parts = (np.mean([one[which] for one in both], axis=0) for which in (0, 1))
        for (name, _), area, part in zip(units, areas, parts, strict=True):
            found[name].append((area, part))
    sides = tuple(int(min(column.sum(), (~column).sum())) for column in labels.T)
    return {name: _measured_arm(kind, units, sides) for name, units in found.items()}


def _measured_arm(kind: Kind, units: list[tuple[Floats, Floats]], sides: tuple[int, ...]) -> Measured:
    values, parts = (np.stack([unit[which] for unit in units]) for which in (0, 1))
    again = 1 / (kind.folds - 1) if kind.repeats > 1 else 0.0
    scores = scores_of(values, np.zeros((len(units), 1)), parts, 1 / len(units) + again)
    return Measured(tuple(np.ndindex(len(units), 1)), sides, dict.fromkeys(METRICS, scores), (scores,))


def _skills(kind: Kind, name: str, skill: float, dealt: Dealt, rng: np.random.Generator) -> Floats:
    """The skill of one seed of an arm in the fold of each record, [records, 1]."""
    luck = rng.normal(0, kind.spread(name), 1 if kind.alike else kind.folds)
    return skill + np.broadcast_to(luck, kind.folds)[dealt, None]


def _patients(kind: Kind, rng: np.random.Generator, number: int) -> tuple[Bools, Floats]:
    """Labels [patients, classes], and the features [patients, FEATURES] that "learned" trains on."""
    labels = rng.random((number, kind.classes)) < kind.prevalence
    return labels, labels[:, :1] * _means() + rng.normal(size=(number, FEATURES))


def _means() -> Floats:
    """How far apart the classes lie in each feature."""
    return np.full(FEATURES, STRENGTH)


def _trained(kind: Kind, name: str, labels: Bools, features: Floats, rng: np.random.Generator) -> Floats:
    """Weights of a ridge regression on some of the features, drawn anew; B sees fewer."""
    used = rng.permutation(FEATURES)[: kind.used // 2 if name == "B" else kind.used]
    x = features[:, used] - features[:, used].mean(axis=0)
    weights = np.zeros(FEATURES)
    weights[used] = np.linalg.solve(x.T @ x + 20 * np.eye(len(used)), x.T @ (labels[:, 0] - labels[:, 0].mean()))
    return weights


def _cross_fitted(
    kind: Kind, name: str, labels: Bools, features: Floats, dealt: Dealt, rng: np.random.Generator
) -> Floats:
    """Answers of ridge regressions, each trained without the fold it answers for."""
    logits = np.empty((len(labels), 1))
    for fold in np.unique(dealt):
        weights = _trained(kind, name, labels[dealt != fold], features[dealt != fold], rng)
        logits[dealt == fold, 0] = 5 * features[dealt == fold] @ weights
    return logits


def _deal(rng: np.random.Generator, positive: Bools, folds: int) -> Dealt:
    """Folds with as many positives each as can be."""
    dealt = np.empty(len(positive), dtype=np.int64)
    for side in (positive, ~positive):
        places = rng.permutation(np.flatnonzero(side))
        dealt[places] = np.arange(len(places)) % folds
    return dealt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=1000, help="how many studies of each kind (1000)")
    parser.add_argument("--kinds", default="", help="only kinds with this in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one a core)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "coverage.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
