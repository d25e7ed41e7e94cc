"""What the tests of studies share: a study small enough to be done in seconds, and its folder once it is."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ecgenough.recipe import Recipe
from ecgenough.studies.cell_runs import Outcome, Place, carry_out
from ecgenough.studies.engines import Work
from ecgenough.studies.study import Study
from ecgenough.studies.study_runs import Summary, run_study


@pytest.fixture(scope="session")
def settings(simulated: Path, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A study of one tiny network, from scratch and carried over, in two folds, and two baselines: 8 cells."""
    recipe = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    recipe.write_text(tiny.with_changes(["training.epochs=2", "training.select=last"]).to_yaml())
    return {
        "sources": {"super": {"data": "simulated", "folder": str(simulated / "superclasses")}},
        "targets": {"pe": {"data": "simulated", "folder": str(simulated / "embolism")}},
        "networks": {"tiny": {"recipe": str(recipe)}},
        "modes": ["scratch", "full"],
        "resampling": {"kind": "k-fold", "folds": 2},
        "baselines": ["prevalence", "demographics"],
    }


@pytest.fixture(scope="session")
def small_study(settings: dict[str, Any]) -> Study:
    return Study.of(settings)


class InThisProcess:
    """An engine that does one thing after the other, and so needs no process to be started."""

    def run(self, works: Sequence[Work], place: Place) -> Iterator[Outcome]:
        return (carry_out(work, place) for work in works)

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def run_here() -> Callable[[Study, Path], Summary]:
    """Runs a study in this process; studies beside each other share their stores."""
    return lambda study, out: run_study(
        study,
        out,
        lambda cells: InThisProcess(),  # noqa: ARG005
        device="cpu",
        stores=out.parent / "stores",
    )


@pytest.fixture(scope="session")
def result_of() -> Callable[[Path], tuple[str, dict[str, str]]]:
    """All that a study has found: its table, but for the seconds, and every cell's predictions."""

    def result(out: Path) -> tuple[str, dict[str, str]]:
        table = pd.read_csv(out / "cells.csv", keep_default_na=False, dtype=str).drop(columns="seconds")
        predictions = (out / "cells").glob("*/predictions.csv")
        return table.to_csv(), {path.parent.name: path.read_text() for path in predictions}

    return result


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that studies of the tests lie in."""
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="session")
def done(small_study: Study, place: Path, run_here: Callable[[Study, Path], Summary]) -> Path:
    """The small study, done."""
    assert run_here(small_study, place / "done") == Summary(8, {})
    return place / "done"
