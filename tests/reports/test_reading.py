import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ecgenough.errors import WrongRequest
from ecgenough.recipe import Recipe
from ecgenough.reports.reading import read_run, read_runs
from ecgenough.reports.run import Baseline


def test_everything_a_run_holds_is_read(run_folder: Path) -> None:
    run = read_run(run_folder)
    assert (run.name, run.shown, run.mode, run.kept_epoch) == ("five-classes", "test", "scratch", 14)
    assert run.data.records["train"] == 4800
    assert run.data.title("MI") == "myocardial infarction"
    assert run.metrics.records == 600
    assert run.predictions is not None
    assert run.predictions.probabilities.shape == run.predictions.labels.shape == (600, 5)
    assert run.predictions.patients[0] == "10000"
    assert run.examples is not None
    assert run.examples.signals.shape == (3, 12, 1000)
    assert run.log is not None
    assert isinstance(run.method, Recipe)
    assert len(run.log) == run.method.training.epochs
    assert run.rejected[0] == ("00017", "file is empty")  # names keep their zeros
    positives = {name: scores.positives for name, scores in run.metrics.classes.items()}
    assert list(positives.values()) == run.predictions.labels.sum(axis=0).tolist()


def test_test_figures_are_preferred_and_validation_figures_are_taken_where_there_are_no_others(
    made_run: Callable[..., Path],
) -> None:
    folder = made_run(part="validation", records=80)
    assert read_run(folder).shown == "validation"
    shutil.copytree(folder / "validation", folder / "test")
    assert read_run(folder).shown == "test"


@pytest.mark.parametrize("piece", ["log.csv", "rejected.csv", "test/examples.npz", "test/predictions.csv"])
def test_pieces_may_be_missing(run_folder: Path, piece: str) -> None:
    (run_folder / piece).unlink()
    run = read_run(run_folder)
    found = {"log.csv": run.log, "test/examples.npz": run.examples, "test/predictions.csv": run.predictions}
    assert found.get(piece) is None


@pytest.mark.parametrize(
    ("missing", "named"), [("recipe.yaml", "recipe.yaml"), ("data.json", "data.json"), ("test", "test/metrics.json")]
)
def test_a_folder_that_is_no_run_is_refused_by_what_is_missing(run_folder: Path, missing: str, named: str) -> None:
    path = run_folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(WrongRequest, match=named):
        read_run(run_folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="is not a folder"):
        read_runs([tmp_path / "nothing"])


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("data.json", "{", "data.json is not JSON"),
        ("data.json", "[]", "must hold a JSON object"),
        ("data.json", '{"dataset": "x"}', 'key "task"'),
        ("recipe.yaml", "networks: {}", "unknown"),
        ("test/metrics.json", "{}", "lacks"),
        ("test/predictions.csv", "record,p_NORM\na,0.5\n", 'no column "p_MI"'),
        ("test/predictions.csv", "", "is not CSV"),
        ("test/examples.npz", "nothing", "does not hold example ECGs"),
        ("log.csv", "epoch\n1\n", 'no column "train_loss"'),
        ("rejected.csv", "name\nx\n", "record"),
        ("model/model.json", "no", "is not JSON"),
    ],
)
def test_a_broken_file_is_named_in_one_sentence(run_folder: Path, file: str, content: str, says: str) -> None:
    (run_folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(WrongRequest, match=says) as caught:
        read_run(run_folder)
    assert Path(file).name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_baseline_is_read_without_recipe_model_and_log(baseline_folder: Path) -> None:
    run = read_run(baseline_folder)
    assert isinstance(run.method, Baseline)
    assert (run.name, run.reader, run.mode) == ("sober", "baseline: intervals", "baseline")
    assert (run.method.seed, run.method.signal.rate, run.method.signal.leads) == (4, 250, ("I", "II"))
    assert (run.log, run.kept_epoch, run.environment["numpy"]) == (None, None, "2.4.6")
    assert run.metrics.records == 240


@pytest.mark.parametrize(
    ("content", "says"),
    [("no", "is not JSON"), ('{"seed": 1}', 'key "baseline"'), ('{"baseline": "x", "seed": 0}', 'key "signal"')],
)
def test_a_broken_baseline_is_named_in_one_sentence(baseline_folder: Path, content: str, says: str) -> None:
    (baseline_folder / "baseline.json").write_text(content, encoding="utf-8")
    with pytest.raises(WrongRequest, match=rf"baseline\.json.*{says}"):
        read_run(baseline_folder)


def test_the_log_of_a_pretraining_has_losses_alone(pretraining_log: Path) -> None:
    run = read_run(pretraining_log)
    assert run.log is not None
    assert list(run.log) == ["epoch", "train_loss", "validation_loss"]


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan", "high"])
def test_probabilities_that_are_none_are_refused(run_folder: Path, value: str) -> None:
    path = run_folder / "test" / "predictions.csv"
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    cells[3] = value
    path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]))
    with pytest.raises(WrongRequest, match=r"predictions\.csv"):
        read_run(run_folder)


def test_figures_that_are_not_defined_are_none(run_folder: Path) -> None:
    path = run_folder / "test" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["macro"]["auc"] = {"value": float("nan"), "low": None, "high": None}
    path.write_text(json.dumps(metrics))
    assert read_run(run_folder).metrics.auc.value is None


def test_an_absent_class_has_no_figures_and_no_threshold(made_run: Callable[..., Path]) -> None:
    run = read_run(made_run(shares=(0.4, 0.3, 0.3, 0.2, 0.0), records=100))
    assert run.metrics.absent == ("HYP",)
    assert run.present() == ["NORM", "MI", "STTC", "CD"]
    assert run.threshold("HYP") is None


def test_runs_of_one_folder_name_are_told_apart_by_the_folders_above(made_run: Callable[..., Path]) -> None:
    folders = [made_run(f"{place}/run", records=60) for place in ("a", "b")]
    assert [run.name for run in read_runs(folders)] == ["a/run", "b/run"]


def test_a_run_given_twice_is_refused(run_folder: Path) -> None:
    with pytest.raises(WrongRequest, match="twice"):
        read_runs([run_folder, run_folder / ".." / run_folder.name])


def test_no_run_at_all_is_refused() -> None:
    with pytest.raises(WrongRequest, match="at least one"):
        read_runs([])
