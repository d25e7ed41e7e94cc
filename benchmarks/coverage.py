"""Do a study's 95% intervals hold the truth in 95% of studies? Simulated studies of which the truth is known.

Each study has three arms: A, B which is worse, and C which is as good as A. Positives lie higher than negatives; what is hard
about a patient is shared by all trainings and arms, and every training adds skill and noise of its own. In "learned" the
networks are ridge regressions that really are trained, fold by fold, on random features of their own, and the truth is their
expected AUC on new patients over training sets of that size.

    python -m benchmarks.coverage                 # 1,000 studies of each kind; some ten minutes on two free cores
    python -m benchmarks.coverage --studies 100
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
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ecgenough.files import write_text
from ecgenough.scoring.repeated import interval, measure_units
from ecgenough.studies.contrasts import AUC, difference
from ecgenough.studies.questions import Arm, Question
from ecgenough.studies.results import Answers, Cell

Floats = NDArray[np.float64]
DRAWS = 200
TRUTH_DRAWS = 200_000
SKILL = {"A": 1.3, "B": 0.9, "C": 1.3}
FEATURES, USED, STRENGTH = 30, 12, 0.30
PAGE = """\
# Coverage of the 95% intervals

- Command: `{command}`
- {studies:,} simulated studies of each kind, {draws} draws of patients each; chance alone moves a share of 95% by up to
  {chance:.1%} either way, 95 times of 100.
- Versions: {versions}; {date}
- Arms: A; B, which is worse; C, as good as A. The last column is also one less the share of false alarms at p < 0.05.

| kind of study | patients, positive | trainings | true AUC of A | A covered | A less B covered | A less C covered | differences |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


@dataclass(frozen=True)
class Kind:
    """A kind of study. `seed_sd` is by how much skill differs between trainings, `own` how noisy each is by itself."""

    name: str
    patients: int = 300
    prevalence: float = 0.2
    classes: int = 1
    folds: int = 5
    seeds: int = 2
    repeats: int = 1
    records: int = 1  # of each patient
    seed_sd: float = 0.05
    own: float = 0.5
    learned: bool = False


KINDS = (
    Kind("one test set, one training", folds=1, seeds=1, seed_sd=0),
    Kind("one test set, 5 seeds", folds=1, seeds=5),
    Kind("5 folds, 1 seed", seeds=1, seed_sd=0),
    Kind("5 folds, 2 seeds"),
    Kind("5 folds, 2 seeds, seeds matter", seed_sd=0.15),
    Kind("5 folds, 3 repeats", repeats=3, seeds=1),
    Kind("5 folds, 2 seeds, 3 records a patient", patients=150, prevalence=0.3, records=3),
    Kind("5 folds, 2 seeds, 3 classes", classes=3),
    Kind("learned, 5 folds, 2 seeds", learned=True),
)


def main() -> None:
    asked = _arguments()
    rows = []
    with Pool(os.cpu_count() or 1) as pool:
        for kind in KINDS:
            truth = true_aucs(kind)
            found = pool.map(partial(one_study, kind, truth), range(asked.studies), chunksize=10)
            shares = np.mean([covered for covered, _ in found], axis=0)
            rows.append(_row(kind, truth, shares, found[0][1]))
            print(rows[-1], flush=True)
    page = PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks.coverage", *sys.argv[1:]]),
        studies=asked.studies,
        draws=DRAWS,
        chance=1.96 * np.sqrt(0.95 * 0.05 / asked.studies),
        versions=", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy")),
        date=date.today(),
        rows="\n".join(rows),
    )
    write_text(asked.out, page)


def _row(kind: Kind, truth: dict[str, float], shares: Floats, method: str) -> str:
    positive = f"{kind.patients}, {kind.prevalence:.0%}"
    covered = " | ".join(f"{share:.1%}" for share in shares)
    return f"| {kind.name} | {positive} | {kind.seeds * kind.repeats} x {kind.folds} | {truth['A']:.3f} | {covered} | {method} |"


def one_study(kind: Kind, truth: dict[str, float], seed: int) -> tuple[list[bool], str]:
    """Whether the intervals of A, of A less B and of A less C hold the truth, and how the differences were tested."""
    question = simulated(kind, np.random.default_rng((seed, 7)))
    measured = {
        arm.name: measure_units(
            {key: question.unit(arm, key) for key in arm.units}, question.patients, resamples=DRAWS, seed=seed
        )
        for arm in question.arms
    }
    one = interval(measured["A"], AUC)
    covered, method = [one.low <= truth["A"] <= one.high], ""
    for other in ("B", "C"):
        lead, method = difference(question, measured, {"A": 1.0, other: -1.0}, AUC)
        covered.append(lead.low <= truth["A"] - truth[other] <= lead.high)
    return covered, method


def true_aucs(kind: Kind) -> dict[str, float]:
    """The expected AUC of each arm: over trainings, and in "learned" over training sets, on endlessly many patients."""
    rng = np.random.default_rng(1)
    if not kind.learned:
        spread = np.sqrt(2 * (1 + kind.own**2))
        drawn = rng.normal(0, kind.seed_sd, TRUTH_DRAWS)
        return {name: float(stats.norm.cdf((skill + drawn) / spread).mean()) for name, skill in SKILL.items()}
    train = kind.patients * (kind.folds - 1) // kind.folds
    found = {name: [] for name in SKILL}  # type: dict[str, list[float]]
    for _ in range(4000):
        labels, features = _patients(kind, rng, train)
        for name in SKILL:
            weights = _trained(name, labels, features, rng)
            # Along weights w, the classes are normal with means w.m apart and variance w.w on both sides.
            found[name].append(float(stats.norm.cdf(weights @ _means() / np.sqrt(2 * weights @ weights))))
    return {name: float(np.mean(values)) for name, values in found.items()}


def simulated(kind: Kind, rng: np.random.Generator) -> Question:
    """One study's answers, as if they had been read from its folder."""
    person = np.repeat(np.arange(kind.patients), kind.records)
    labels, features = _patients(kind, rng, kind.patients)
    of_people = labels[person]
    hard = (
        np.sqrt(0.5) * rng.normal(size=(kind.patients, kind.classes))[person]
        + np.sqrt(0.5) * rng.normal(size=of_people.shape)
        if kind.records > 1
        else rng.normal(size=of_people.shape)
    )
    dealt = [_deal(rng, labels[:, 0], kind.folds)[person] for _ in range(kind.repeats)]
    arms = []
    for name, skill in SKILL.items():
        units: dict[tuple[int, int], dict[int, tuple[Cell, Answers]]] = {}
        for seed in range(kind.seeds):
            for repeat in range(kind.repeats):
                again = rng.normal(0, kind.seed_sd)
                logits = of_people * (skill + again) + hard + kind.own * rng.normal(size=of_people.shape)
                if kind.learned:
                    logits = _cross_fitted(name, labels, features, dealt[repeat], rng)
                units[seed, repeat] = {
                    fold: (
                        _cell(kind, name, seed, repeat, fold),
                        _answers(person, of_people, logits, dealt[repeat] == fold),
                    )
                    for fold in range(kind.folds)
                }
        cells = tuple(cell for unit in units.values() for cell, _ in unit.values())
        arms.append(Arm(cells, units))
    names = tuple(f"{number:04d}" for number in range(kind.patients))
    classes = tuple(f"c{place}" for place in range(kind.classes))
    return Question("simulated", "task", classes, classes, names, tuple(arms), {}, (), 0)


def _patients(kind: Kind, rng: np.random.Generator, number: int) -> tuple[NDArray[np.bool_], Floats]:
    """Labels [patients, classes], and the features [patients, FEATURES] that "learned" trains on."""
    labels = rng.random((number, kind.classes)) < kind.prevalence
    return labels, labels[:, :1] * _means() + rng.normal(size=(number, FEATURES))


def _means() -> Floats:
    """How far apart the classes lie in each feature."""
    return np.full(FEATURES, STRENGTH)


def _trained(name: str, labels: NDArray[np.bool_], features: Floats, rng: np.random.Generator) -> Floats:
    """Weights of a ridge regression on a random half of the features; B sees fewer."""
    used = rng.permutation(FEATURES)[: USED // 2 if name == "B" else USED]
    x = features[:, used] - features[:, used].mean(axis=0)
    weights = np.zeros(FEATURES)
    weights[used] = np.linalg.solve(x.T @ x + 20 * np.eye(len(used)), x.T @ (labels[:, 0] - labels[:, 0].mean()))
    return weights


def _cross_fitted(
    name: str, labels: NDArray[np.bool_], features: Floats, dealt: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Answers of ridge regressions, each trained without the fold it answers for."""
    logits = np.empty((len(labels), 1))
    for fold in np.unique(dealt):
        weights = _trained(name, labels[dealt != fold], features[dealt != fold], rng)
        logits[dealt == fold, 0] = 5 * features[dealt == fold] @ weights
    return logits


def _deal(rng: np.random.Generator, positive: NDArray[np.bool_], folds: int) -> NDArray[np.int64]:
    """Folds with as many positives each as can be."""
    dealt = np.empty(len(positive), dtype=np.int64)
    for side in (positive, ~positive):
        places = rng.permutation(np.flatnonzero(side))
        dealt[places] = np.arange(len(places)) % folds
    return dealt


def _answers(
    person: NDArray[np.int64], labels: NDArray[np.bool_], logits: Floats, tested: NDArray[np.bool_]
) -> Answers:
    rows = np.flatnonzero(tested)
    names = np.array([f"{number:04d}" for number in person[rows]])
    unknown = np.full(len(rows), np.nan)
    return Answers(rows.astype(np.str_), names, names, unknown, 1 / (1 + np.exp(-logits[rows])), labels[rows])


def _cell(kind: Kind, arm: str, seed: int, repeat: int, fold: int) -> Cell:
    tested = kind.patients * kind.records / kind.folds
    return Cell(
        f"{arm}{seed}{repeat}{fold}", "network", arm, "simulated", "task", "", "", "", "", seed, repeat, fold, None, "done", "",
        None, None, None, kind.patients * kind.records - tested if kind.folds > 1 else tested, 0, tested,
        tuple(f"c{place}" for place in range(kind.classes)), (), (0.5,) * kind.classes,
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=1000, help="how many studies of each kind (1000)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "coverage.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
