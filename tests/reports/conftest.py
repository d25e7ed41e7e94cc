"""Made-up run folders, laid out as train, transfer and evaluate write them."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.made_study import make_study, small_study

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.recipe import Recipe
from ecgenough.reports import write_study_report
from ecgenough.scoring import score

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
TITLES = ("normal ECG", "myocardial infarction", "ST/T change", "conduction disturbance", "hypertrophy")
SHARES = (0.44, 0.25, 0.24, 0.22, 0.12)


@dataclass(frozen=True)
class Made:
    """What a made-up run is like. `skill` is how many standard deviations positives lie above negatives."""

    classes: tuple[str, ...] = SUPERCLASSES
    titles: tuple[str, ...] = TITLES
    shares: tuple[float, ...] = SHARES
    skill: tuple[float, ...] = (2.2, 1.9, 2.0, 1.8, 1.6)
    dataset: str = "ptb-xl"
    task: str = "superdiagnostic"
    records: int = 600
    seed: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    transfer: dict[str, Any] | None = None
    part: str = "test"


BINARY = {
    "classes": ("PE",), "titles": ("acute pulmonary embolism",), "shares": (0.18,),
    "dataset": "own.csv", "task": "embolism", "records": 240,
}  # fmt: skip


def made_ecg(rng: np.random.Generator, rate: float = 100.0, seconds: float = 10.0) -> np.ndarray:
    """Something like a sinus rhythm, mV [12, samples]: bumps for P, Q, R, S and T, scaled per lead."""
    time = np.arange(int(rate * seconds)) / rate
    beats = np.arange(0.4, seconds, 60 / rng.uniform(60, 95)) + rng.normal(0, 0.01)
    waves = ((-0.17, 0.12, 0.03), (-0.03, -0.12, 0.012), (0.0, 1.1, 0.012), (0.03, -0.25, 0.014), (0.26, 0.28, 0.05))
    scale = np.array([0.6, 1.0, 0.45, -0.8, 0.15, 0.7, -0.5, 0.2, 0.7, 1.2, 1.1, 0.8])[:, None]
    shape = sum(
        height * np.exp(-(((time[:, None] - beats - at) / width) ** 2) / 2).sum(axis=1) for at, height, width in waves
    )
    drift = 0.05 * np.sin(2 * np.pi * 0.2 * time + rng.uniform(0, 6))
    return np.asarray(scale * shape + drift + rng.normal(0, 0.012, (12, len(time))), dtype=np.float32)


def make_run(folder: Path, made: Made) -> Path:
    """Write a run's folder with figures that follow from its predictions."""
    rng = np.random.default_rng(made.seed)
    labels = np.random.default_rng(1000).random((made.records, len(made.classes))) < made.shares
    logits = labels * np.array(made.skill) + rng.normal(0, 1, labels.shape) - np.array(made.skill) / 2 - 0.8
    probabilities = 1 / (1 + np.exp(-logits * 1.3))
    records = [f"records100/{row // 1000:02d}000/{row:05d}_lr" for row in range(made.records)]
    patients = [str(10_000 + row * 9 // 10) for row in range(made.records)]
    thresholds = np.full(len(made.classes), 0.35)
    scores = score(labels, probabilities, thresholds, patients, made.classes, resamples=100)
    part = folder / made.part
    part.mkdir(parents=True)
    write_json(
        part / "metrics.json",
        {"dataset": made.dataset, "task": made.task, "folds": [9 if part.name == "validation" else 10], **scores},
    )
    table = pd.DataFrame({"record": records, "patient": patients, "fold": 10})
    named = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in made.classes])
    truth = pd.DataFrame(labels.astype(int), columns=[f"y_{name}" for name in made.classes])
    pd.concat([table, named, truth], axis=1).to_csv(part / "predictions.csv", index=False, float_format="%.6g")
    np.savez_compressed(
        part / "examples.npz",
        records=np.array(records[:3]),
        signals=np.stack([made_ecg(rng) for _ in range(3)]),
        rate=100.0,
        leads=np.array(STANDARD_LEADS),
    )
    recipe = Recipe.of({"task": made.task, **made.recipe})
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    write_data(folder, made, labels)
    write_log(folder, recipe.training.epochs, made.seed)
    write_model(folder, made)
    if made.transfer:
        write_json(folder / "transfer.json", made.transfer)
    return folder


def make_baseline(folder: Path, made: Made) -> Path:
    """Write a baseline's folder: as a run's, without a network and what belongs to one."""
    make_run(folder, made)
    shutil.rmtree(folder / "model")
    for file in ("recipe.yaml", "log.csv"):
        (folder / file).unlink()
    card = {
        "format": 1, "baseline": "intervals", "task": made.task, "seed": made.seed,
        "signal": {"leads": ["I", "II"], "rate": 250, "duration": 8, "filter": {"kind": "none"}},
        "calibration": {"slope": [1.25]}, "versions": {"ecgenough": "0.1.0", "numpy": "2.4.6"},
    }  # fmt: skip
    write_json(folder / "baseline.json", card)
    return folder


def write_data(folder: Path, made: Made, labels: np.ndarray) -> None:
    test, train, rejected = made.records, made.records * 8, 3
    counts = {name: int(count) for name, count in zip(made.classes, labels.sum(axis=0), strict=True)}
    data = {
        "dataset": made.dataset, "task": made.task, "classes": made.classes, "titles": made.titles,
        "records": {"listed": train + 2 * test + rejected + 40, "rejected": rejected, "in_task": train + 2 * test,
                    "train": train, "validation": test, "test": test},
        "patients": {"all": test * 9, "train": train * 9 // 10, "validation": test * 9 // 10, "test": test * 9 // 10},
        "positives": {name: {"train": 8 * n, "validation": n, "test": n} for name, n in counts.items()},
        "folds": {"train": [1, 2, 3, 4, 5, 6, 7, 8], "validation": [9], "test": [10]},
        "store": "0123456789abcdef",
    }  # fmt: skip
    write_json(folder / "data.json", data)
    reasons = pd.DataFrame(
        {"record": ["00017", "00321", "01400"], "reason": ["file is empty", "lead V3 is flat", "no lead II"]}
    )
    reasons.to_csv(folder / "rejected.csv", index=False)


def write_log(folder: Path, epochs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    epoch = np.arange(1, epochs + 1)
    log = pd.DataFrame({
        "epoch": epoch,
        "train_loss": 0.22 + 0.4 * np.exp(-epoch / 4) + rng.normal(0, 0.003, epochs),
        "validation_loss": 0.28 + 0.33 * np.exp(-epoch / 3) + 0.0003 * epoch**2 + rng.normal(0, 0.004, epochs),
        "validation_macro_auc": 0.925 - 0.2 * np.exp(-epoch / 3) + rng.normal(0, 0.002, epochs),
        "validation_macro_average_precision": 0.8, "learning_rate": 1e-3, "ecgs_per_second": 5000, "seconds": 3.0,
    })  # fmt: skip
    log.to_csv(folder / "log.csv", index=False)


def write_model(folder: Path, made: Made) -> None:
    (folder / "model").mkdir()
    environment = {"python": "3.11.9", "ecgenough": "0.1.0", "torch": "2.13.0", "device": "cpu, 2 threads"}
    card = {"format": 1, "classes": made.classes, "origin": {"epoch": 14, "environment": environment}}
    write_json(folder / "model" / "model.json", card)


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def make_three(folder: Path) -> Sequence[Path]:
    """A binary task learned from scratch, with a frozen body, and in full."""
    about = {
        "from": "runs/ptb-xl",
        "all_parameters": 3_848_001,
        "messages": ["Of 1 class, 0 are also the source's: none."],
    }
    wanted = {
        "scratch": Made(**BINARY, skill=(0.7,), seed=1),
        "frozen": Made(
            **BINARY, skill=(1.2,), seed=2, recipe={"transfer": {"mode": "frozen"}},
            transfer={**about, "mode": "frozen", "trained_parameters": 513},
        ),
        "full": Made(
            **BINARY, skill=(1.45,), seed=3, recipe={"transfer": {"mode": "full"}},
            transfer={**about, "mode": "full", "trained_parameters": 3_848_001},
        ),
    }  # fmt: skip
    return [make_run(folder / name, made) for name, made in wanted.items()]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up runs that no test writes to: `five-classes`, and `scratch`, `frozen` and `full` of one binary task."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "five-classes", Made())
    make_three(folder)
    return folder


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up study with its report; no test writes to it."""
    folder = make_study(tmp_path_factory.mktemp("studies") / "study", small_study())
    source = folder / "sources" / "0123456789abcdef"
    source.mkdir(parents=True)
    write_data(source, Made(), np.ones((60, 5), dtype=bool))
    write_study_report(folder, resamples=150)
    return folder


@pytest.fixture
def run_folder(shared: Path, tmp_path: Path) -> Path:
    """A run of five classes with everything there."""
    return Path(shutil.copytree(shared / "five-classes", tmp_path / "five-classes"))


@pytest.fixture
def three_folders(shared: Path, tmp_path: Path) -> Sequence[Path]:
    """Three runs of one binary task on the same records."""
    return [Path(shutil.copytree(shared / name, tmp_path / name)) for name in ("scratch", "frozen", "full")]


@pytest.fixture
def baseline_folder(tmp_path: Path) -> Path:
    """A baseline for the task and on the records of the three runs."""
    return make_baseline(tmp_path / "sober", Made(**BINARY, skill=(0.5,), seed=4))


@pytest.fixture
def pretraining_log(run_folder: Path) -> Path:
    """A run whose log has no AUC, as that of a pretraining without labels."""
    path = run_folder / "log.csv"
    pd.read_csv(path).drop(columns=["validation_macro_auc", "validation_macro_average_precision"]).to_csv(path)
    return run_folder


@pytest.fixture
def made_run(tmp_path: Path) -> Callable[..., Path]:
    """Make a run that differs from the usual one in the named ways."""
    return lambda name="other", **changes: make_run(tmp_path / name, Made(**changes))
