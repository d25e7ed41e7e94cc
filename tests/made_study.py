"""Study folders as `study` leaves them, from simulated scores: how good each arm is decides what must come out."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from ecgenough.recipe import Recipe
from ecgenough.studies.results import NUMBERS, TEXTS


@dataclass(frozen=True)
class MadeArm:
    """`skill` is how many standard deviations positives lie above negatives; None says the same of everyone.

    `gap` is taken off the skill at `records` training records as gap * (50 / records) ** 0.5.
    """

    name: str
    skill: float | None
    kind: str = "network"
    mode: str = ""
    network: str = ""
    source: str = ""
    sizes: tuple[int | None, ...] = (None,)
    gap: float = 0.0
    failed: tuple[tuple[int, int], ...] = ()  # seeds and folds


def network(body: str, mode: str, skill: float, **changes: object) -> MadeArm:
    source = "" if mode == "scratch" else "ptb"
    return MadeArm(f"{body} {mode}", skill, "network", mode, body, source, **changes)  # type: ignore[arg-type]


def baseline(name: str, skill: float | None, **changes: object) -> MadeArm:
    return MadeArm(name, skill, "baseline", **changes)  # type: ignore[arg-type]


SOBER = (baseline("prevalence", None), baseline("demographics", 0.3), baseline("intervals", 0.7))


@dataclass(frozen=True)
class MadeStudy:
    """What a made-up study is like. `seed_sd` is by how much an arm's skill differs between trainings."""

    arms: tuple[MadeArm, ...]
    patients: int = 400
    prevalence: tuple[float, ...] = (0.25,)
    classes: tuple[str, ...] = ("PE",)
    titles: tuple[str, ...] = ("acute pulmonary embolism",)
    folds: int = 5
    repeats: int = 1
    seeds: tuple[int, ...] = (0, 1)
    seed_sd: float = 0.05
    deciding: Mapping[str, Sequence[object]] = field(default_factory=dict)  # what cells state of who decided
    own_noise: float = 0.6  # of each training, beside what all arms find hard in a patient
    records_a_patient: int = 1
    target: str = "own.csv"
    task: str = "embolism"
    seed: int = 0


def make_study(folder: Path, made: MadeStudy, title: str = "Embolism from the ECG") -> Path:
    """Write the folder of a study, its predictions following from `made`."""
    return make_studies(folder, [made], title)


def make_studies(folder: Path, several: Sequence[MadeStudy], title: str = "Two targets") -> Path:
    """One study of several targets or tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = {made.target: {"data": made.target, "task": made.task} for made in several}
    (folder / "study.yaml").write_text(json.dumps({"title": title, "targets": targets}), encoding="utf-8")
    rows = [row for made in several for row in _cells(folder, made)]
    with (folder / "cells.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*TEXTS[:9], *NUMBERS[:4], "status", "reason", *NUMBERS[4:]])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def _cells(folder: Path, made: MadeStudy) -> list[dict[str, object]]:
    rng = np.random.default_rng(made.seed)
    labels = rng.random((made.patients, len(made.classes))) < made.prevalence
    hard = rng.normal(size=labels.shape)
    people = pd.DataFrame({
        "record": [f"{made.target}/{row:04d}" for row in range(made.patients)],
        "patient": [f"p{row // made.records_a_patient:04d}" for row in range(made.patients)],
        "sex": rng.choice(["female", "male"], made.patients),
        "age": np.where(rng.random(made.patients) < 0.03, np.nan, rng.integers(25, 90, made.patients)),
    })  # fmt: skip
    dealt = [_deal(rng, labels[:, 0], made) for _ in range(made.repeats)]
    rows = []
    for arm in made.arms:
        seeds = made.seeds if arm.kind == "network" else made.seeds[:1]
        for size in arm.sizes:
            for seed in seeds:
                for repeat in range(made.repeats):
                    for fold in range(1, made.folds + 1):
                        tested = dealt[repeat] == fold
                        row = _row(made, arm, seed, repeat, fold, size, tested)
                        if row["status"] == "done":
                            scores = _scores(rng, made, arm, labels, hard, row, tested)
                            _write_cell(folder, made, arm, row, people, labels, scores, tested)
                        rows.append(row)
    return rows


def _deal(rng: np.random.Generator, labels: np.ndarray, made: MadeStudy) -> np.ndarray:
    """Folds 1, 2 ... of whole patients, as many positives in each."""
    patients = np.arange(made.patients) // made.records_a_patient
    positive = np.array([labels[patients == one].any() for one in range(patients[-1] + 1)])
    fold = np.zeros(len(positive), dtype=int)
    for side in (positive, ~positive):
        places = rng.permutation(np.flatnonzero(side))
        fold[places] = np.arange(len(places)) % made.folds + 1
    return fold[patients]


def _row(
    made: MadeStudy, arm: MadeArm, seed: int, repeat: int, fold: int, size: int | None, tested: np.ndarray
) -> dict[str, object]:
    left = 4 * made.patients if tested.all() else made.patients - int(tested.sum())  # one fold: others are published
    identity = f"{made.target} {made.task} {arm.name} {seed} {repeat} {fold} {size}"
    failed = (seed, fold) in arm.failed
    return {
        "cell": sha256(identity.encode()).hexdigest()[:16], "kind": arm.kind, "arm": arm.name, "target": made.target,
        "task": made.task, "network": arm.network, "recipe": "fast" if arm.kind == "network" else "",
        "mode": arm.mode, "source": arm.source, "seed": seed, "repeat": repeat, "fold": fold,
        "size": "" if size is None else size, "status": "failed" if failed else "done",
        "reason": "the loss became NaN in epoch 3; lower optimizer.learning_rate." if failed else "",
        "seconds": "" if failed else round(3 + 40 * len(arm.network) ** 0.5 + seed, 1),
        "parameters": 3_848_001 * len(arm.network) // 8 or "", "operations": 7.1e8 * len(arm.network) // 8 or "",
        "train_records": size or left * 4 // 5, "validation_records": left // 5, "test_records": int(tested.sum()),
    }  # fmt: skip


def _scores(
    rng: np.random.Generator, made: MadeStudy, arm: MadeArm, labels: np.ndarray, hard: np.ndarray,
    row: dict[str, object], tested: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Probabilities [records, classes]; an arm without skill gives everyone the share of its training positives."""
    if arm.skill is None:
        return np.broadcast_to((labels if tested.all() else labels[~tested]).mean(axis=0), labels.shape)
    skill = arm.skill - arm.gap * (50 / float(str(row["train_records"]))) ** 0.5 + rng.normal(0, made.seed_sd)
    noise = (hard + made.own_noise * rng.normal(size=labels.shape)) / np.hypot(1, made.own_noise)
    base = np.log(np.array(made.prevalence) / (1 - np.array(made.prevalence)))
    return 1 / (1 + np.exp(-(base + skill * (labels * skill + noise) - skill**2 / 2)))


def _write_cell(
    folder: Path, made: MadeStudy, arm: MadeArm, row: dict[str, object], people: pd.DataFrame, labels: np.ndarray,
    scores: np.ndarray, tested: np.ndarray,
) -> None:  # fmt: skip
    place = folder / "cells" / str(row["cell"])
    place.mkdir(parents=True)
    about = {"classes": made.classes, "titles": made.titles, "thresholds": made.prevalence, "trained_parameters": 513}
    (place / "cell.json").write_text(json.dumps({**row, **about, **made.deciding}), encoding="utf-8")
    named = {f"p_{name}": scores[:, column] for column, name in enumerate(made.classes)}
    truth = {f"y_{name}": labels[:, column].astype(int) for column, name in enumerate(made.classes)}
    table = pd.concat([people, pd.DataFrame({**named, **truth})], axis=1)[tested]
    table.to_csv(place / "predictions.csv", index=False, float_format="%.9g")
    if arm.kind == "network":
        recipe = Recipe.of({"task": made.task, "network": {"name": "resnet18"}, "seed": row["seed"]})
        (place / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
        epoch = np.arange(1, 11)
        log = {"epoch": epoch, "train_loss": 0.3 + 0.4 / epoch, "validation_loss": 0.4 + 0.3 / epoch,
               "validation_macro_auc": 0.8 - 0.2 / epoch + 0.01 * float(arm.skill or 0)}  # fmt: skip
        pd.DataFrame(log).to_csv(place / "log.csv", index=False)


def full_study() -> MadeStudy:
    """Three networks in four ways, sober baselines, sizes for one arm, and a seed that failed."""
    skills = {"resnet18": (1.1, 1.3, 1.6, 1.65), "crnn_gru": (1.0, 1.2, 1.5, 1.55), "transformer": (0.6, 0.9, 1.2, 1.1)}
    modes = ("scratch", "frozen", "full", "lp-ft")
    arms = [network(body, mode, skill) for body, row in skills.items() for mode, skill in zip(modes, row, strict=True)]
    sized = network("resnet18", "full", 1.9, sizes=(30, 60, 120, None), gap=0.9)
    arms = [sized if arm.name == sized.name else arm for arm in arms]
    broken = network("transformer", "full", 1.2, failed=((1, 2),))
    arms = [broken if arm.name == broken.name else arm for arm in arms]
    return MadeStudy((*arms, *SOBER, baseline("minirocket", 0.9)))


def small_study() -> MadeStudy:
    """Two networks in three ways, sober baselines, four sizes of one arm, and a seed that failed: every part of a report."""
    arms = (
        network("resnet18", "scratch", 0.6),
        network("resnet18", "frozen", 1.2),
        network("resnet18", "full", 2.8, sizes=(25, 50, 75, None), gap=1.2),
        network("crnn_gru", "scratch", 0.5),
        network("crnn_gru", "frozen", 1.1, failed=((1, 2),)),
        network("crnn_gru", "full", 1.8),
    )
    sober = (*SOBER, baseline("minirocket", 0.8))
    return MadeStudy((*arms, *sober), patients=240, prevalence=(0.35,), folds=2, seed_sd=0.03)
