"""The commands tune and reproduce, the option --track, and what is said where an extra is not installed."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ecgenough.cli import main
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ecgenough", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "quick.yaml").write_text(tiny.with_changes(["training.epochs=1", "training.batch=64"]).to_yaml())
    (tmp_path / "space.yaml").write_text("optimizer.learning_rate: {low: 1e-3, high: 1e-2, log: true}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_search_s_best_recipe_trains_and_is_reproduced(
    stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(stores["superclasses"].path)
    asked = ["--recipe", "quick.yaml", "--space", "space.yaml", "--trials", "2", "--metric", "loss", "--device", "cpu"]
    assert _run(monkeypatch, "tune", store, *asked, "--out", "tuned") == 0
    trials = pd.read_csv("tuned/trials.csv")
    assert trials["state"].tolist() == ["complete"] * 2
    assert f"validation_loss {trials['validation_loss'].min():.4f}" in capsys.readouterr().err
    best = ["--recipe", "tuned/best.yaml", "--device", "cpu", "--track", "tensorboard"]
    assert _run(monkeypatch, "train", store, *best, "--out", "run") == 0
    assert list(Path("run/tensorboard").glob("events.*"))
    log = pd.read_csv("run/log.csv")
    assert log["validation_loss"].min() == pytest.approx(trials["validation_loss"].min())
    assert _run(monkeypatch, "reproduce", "run", "--dataset", store, "--device", "cpu") == 0
    printed = capsys.readouterr().out
    assert "run-reproduced: identical" in printed
    assert "weights" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--space", "papr"], 'Nearest: "paper"'),
        (["--space", "space.yaml", "--sampler", "tpee"], 'Nearest: "tpe"'),
        (["--space", "space.yaml", "--metric", "auc"], 'metric "auc" is unknown'),
        (["--space", "space.yaml", "--track", "tensorbord"], 'Nearest: "tensorboard"'),
        (["--space", "paper"], 'key "network.options.layers" is unknown'),
        (["--space", "space.yaml", "--task", "superdiagnostik"], 'Nearest: "superdiagnostic"'),
    ],
)
def test_a_wrong_search_gets_one_sentence(
    arguments: list[str], sentence: str, folder: Path, stores: dict[str, Store],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    store = str(stores["superclasses"].path)
    asked = ["tune", store, "--recipe", "quick.yaml", "--trials", "1", "--out", "tuned", *arguments]
    assert _run(monkeypatch, *asked) == 2
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert complaint.startswith("ecgenough: ")
    assert not (folder / "tuned" / "trials").exists()


@pytest.mark.parametrize(
    ("package", "code", "extra"),
    [
        (
            "optuna",
            "import sys; sys.argv = ['ecgenough', 'tune', '--help']; import ecgenough.cli as c; c.main()",
            "tune",
        ),
        ("sklearn", "import ecgenough; ecgenough.ECGClassifier", "baselines"),
    ],
)
def test_an_absent_package_is_one_sentence_that_names_the_extra(package: str, code: str, extra: str) -> None:
    hidden = f"import sys; sys.modules['{package}'] = None; {code}"
    answer = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True)
    assert answer.returncode != 0
    assert f"needs the package {package}: pip install 'ecgenough[{extra}]'" in answer.stderr.splitlines()[-1]
