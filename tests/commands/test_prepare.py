"""`ecgenough prepare`: a second call only looks, and imports nothing that looking does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from ecgenough.cli import main
from ecgenough.errors import WrongRequest
from ecgenough.formats.table import TableLayout
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.listings import list_collection
from ecgenough.studies.stores import open_store
from ecgenough.studies.study import Collection

QUICK = ["training.epochs=1", "training.select=last"]
HEAVY = {"torch", "lightning_fabric", "pandas", "wfdb", "requests", "pywt", "scipy.signal", "sklearn"}


@pytest.mark.parametrize("recipe", ["default", "paper-resnet18"])
def test_a_second_prepare_imports_nothing_heavy(simulated: Path, tmp_path: Path, recipe: str) -> None:
    """Their imports alone take longer than the two seconds a second call may."""
    command = ["prepare", "simulated", "--from", str(simulated / "embolism"), "--store", str(tmp_path)]
    command += ["--recipe", recipe, "--set", "signal.rate=100", "--workers", "1"]
    program = f"import sys; sys.argv[1:] = {command}; from ecgenough.cli import main\n"
    program += "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "160 records, 0 rejected" in done.stdout
    assert "ecgenough.signals.preparation" in done.stderr.split()
    assert not HEAVY & set(done.stderr.split())


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ecgenough", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_a_manifest_without_labels_is_prepared_and_pretrained_on_and_refused_for_training(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = sorted((simulated / "embolism" / "records").rglob("*.hea"))[:40]
    (tmp_path / "mine.csv").write_text("path\n" + "".join(f"{path}\n" for path in records))
    about = [str(tmp_path / "mine.csv"), "--from", str(simulated / "embolism"), "--store", str(tmp_path / "stores")]
    small = ["--set", "network.name=resnet18", "--set", "network.options={width: 4}", "--set", "training.epochs=1"]
    small += ["--set", "training.batch=8", "--set", "signal.rate=100", "--out", str(tmp_path / "run")]
    assert _run(monkeypatch, "prepare", *about) == 0
    assert "40 records, 0 rejected" in capsys.readouterr().out
    assert _run(monkeypatch, "train", *about, *small) == 2
    assert "mine has no labels to train on or to test with. Add a column of 0 and 1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert _run(monkeypatch, "pretrain", *about, *small) == 0
    assert (tmp_path / "run" / "model" / "model.json").is_file()


def test_a_store_s_own_folder_is_not_given_together_with_recordings(
    stores: dict[str, Store], simulated: Path, tiny: Recipe, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Whoever names both means the recordings to be read, perhaps others than the store's; neither is ignored."""
    store = str(stores["embolism"].path)
    model = runs.train(stores["superclasses"], tiny.with_changes(QUICK), tmp_path / "model", "cpu")
    for words in (["train", store], ["prepare", store], ["transfer", str(model), store]):
        asked = [*words, "--from", str(simulated / "superclasses")]
        assert _run(monkeypatch, *asked, *(["--out", str(tmp_path / "run")] if words[0] != "prepare" else [])) == 2
        assert f"{store} is a prepared store, which needs no recordings; leave" in capsys.readouterr().err
    with pytest.raises(WrongRequest, match="is a prepared store, which needs no recordings"):
        list_collection(Collection(data=store, folder=str(simulated / "embolism")), tiny.signal)
    with pytest.raises(WrongRequest, match="a table layout is for manifests only"):
        open_store(store, None, tiny.signal, layout=TableLayout(100, "mV", ("I",), "samples-by-leads"))
    assert not (tmp_path / "run").exists()
