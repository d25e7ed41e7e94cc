"""`ecgenough study`: what a dry run says, and how a study with failed cells ends."""

import sys
from pathlib import Path

import pytest
import yaml

from ecgenough.cli import main
from ecgenough.commands import study as command
from ecgenough.recipe import Recipe
from ecgenough.studies.study import load_study
from ecgenough.studies.study_runs import Summary


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ecgenough", "study", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _small(folder: Path, simulated: Path, tiny: Recipe) -> Path:
    (folder / "tiny.yaml").write_text(tiny.to_yaml())
    path = folder / "study.yaml"
    path.write_text(
        f"""
        targets: {{pe: {{data: simulated, folder: {simulated / "embolism"}}}}}
        networks: {{tiny: {{recipe: {folder / "tiny.yaml"}}}}}
        modes: [scratch]
        resampling: {{kind: k-fold, folds: 2, repeats: 3}}
        baselines: [prevalence]
        """
    )
    return path


def test_a_dry_run_prints_every_cell_and_writes_nothing(
    simulated: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = _small(tmp_path, simulated, tiny), tmp_path / "out"
    assert _run(monkeypatch, str(study), "--out", str(out), "--dry-run", "--jobs", "2", "--device", "cpu") == 0
    printed = capsys.readouterr().out
    for repeat in range(3):
        for fold in (1, 2):
            for arm in ("tiny scratch", "prevalence"):
                assert f"pe, {arm}, seed 0, repeat {repeat}, fold {fold}" in printed
    assert "12 cells and 0 sources: about" in printed
    assert "An estimate, from a few steps of each network timed on this machine" in printed
    assert not out.exists()


STUDIES = Path(__file__).parents[2] / "benchmarks" / "studies"


def test_the_full_design_is_480_trainings_of_12_sources(
    simulated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(
        command, "estimate", lambda plan, _: {w.fingerprint: 2.0 for w in (*plan.cells, *plan.pretrainings)}
    )
    folder = simulated / "superclasses"
    stands = [f"sources.ptb-xl={{data: simulated, folder: {folder}, task: superdiagnostic}}"]
    stands += [f"targets.right-heart-strain={{data: simulated, folder: {folder}, task: rhythm}}"]
    stands += [f"targets.quality={{data: simulated, folder: {simulated / 'embolism'}}}"]
    changes = [part for stand in stands for part in ("--set", stand)]
    arguments = [
        str(STUDIES / "full-design.yaml"),
        "--out",
        str(tmp_path / "out"),
        "--dry-run",
        "--jobs",
        "4",
        *changes,
    ]
    assert _run(monkeypatch, *arguments) == 0
    printed = capsys.readouterr().out
    assert "520 cells and 12 sources: about " in printed  # 480 trainings, and 4 baselines in 5 folds of 2 targets
    assert "the source learns without the patients of rhythm" in printed
    assert "quality, s4d_hybrid lp-ft, seed 1, repeat 0, fold 5" in printed


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_the_benchmarks_is_a_study(path: Path) -> None:
    """With a shipped model in the place of those that its reader trains first."""
    sources = yaml.safe_load(path.read_text(encoding="utf-8")).get("sources", {})
    trained = [name for name, about in sources.items() if about.get("model", "").startswith("runs/")]
    assert load_study(str(path), [f"sources.{name}.model=ptbxl-base" for name in trained]).arms()


def test_an_unknown_tracker_is_refused_before_anything_is_done(
    simulated: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = _small(tmp_path, simulated, tiny)
    assert _run(monkeypatch, str(study), "--out", str(tmp_path / "out"), "--track", "tensorbord") == 2
    assert 'tracker "tensorbord" is unknown. Nearest: "tensorboard"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_failed_cells_end_in_one_sentence_and_status_1(
    simulated: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = Summary(12, {"0123456789abcdef": "the training loss is nan in epoch 1."})
    reported: list[Path] = []
    monkeypatch.setattr(command, "run_study", lambda *_, **__: summary)
    monkeypatch.setattr(command, "write_study_report", reported.append)
    study = _small(tmp_path, simulated, tiny)
    assert _run(monkeypatch, str(study), "--out", str(tmp_path / "out")) == 1
    assert reported == [tmp_path / "out"]  # of the cells that are done
    complaint = capsys.readouterr().err
    assert (
        "1 of 12 cells failed, the first (0123456789abcdef) because: the training loss is nan in epoch 1." in complaint
    )
    assert "Traceback" not in complaint


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["quick", "--on", "rya"], 'Nearest: "ray"'),
        (["quick", "--address", "head:6379"], "--address head:6379 is a Ray cluster's; say --on ray too."),
        (["quik"], 'Nearest: "quick"'),
        (["quick", "--set", "targts.embolism.data=x"], 'Nearest: "targets"'),
        (["paper-pe", "--dry-run"], "data/pe.csv"),
    ],
)
def test_a_wrong_request_gets_one_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(monkeypatch, *arguments, "--out", "out") == 2
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert "Traceback" not in complaint
