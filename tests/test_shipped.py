"""Models that come with the package: found by name, used where none is named, and the same answer however it is asked."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.ptbxl import beside, confirm, leaderboard
from benchmarks.ptbxl.__main__ import install
from benchmarks.ptbxl.twins import compare_twins
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from ecgenough import shipped
from ecgenough.cli import main
from ecgenough.ecg import Ecg, to_millivolts
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import read
from ecgenough.model import Model
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.baseline_runs import run_baseline

SIX = "superdiagnostic+subdiagnostic+diagnostic+form+rhythm+all"


@pytest.fixture(scope="module")
def run(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny.with_changes([f"task={SIX}", "training.epochs=1"])
    return runs.train(stores["superclasses"], recipe, tmp_path_factory.mktemp("shipped") / "run", "cpu")


@pytest.fixture
def package(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that ships the model of `run` as ptbxl-base, and a working folder beside it."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "models")
    Model.load(run).save(tmp_path / "models" / "ptbxl-base")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture(scope="module")
def ecg(simulated: Path) -> Ecg:
    return read(next((simulated / "superclasses").rglob("*.hea")))


def test_a_shipped_model_is_loaded_by_its_name(package: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shipped.names() == ("ptbxl-base",)
    assert Model.load("ptbxl-base").classes == Model.load(run).classes
    Model.load(run).for_task("form").save(package / "work" / "ptbxl-base")
    assert Model.load("ptbxl-base").task == SIX
    assert "write ./ptbxl-base for the folder of that name here" in capsys.readouterr().err
    assert Model.load("./ptbxl-base").task == "form"
    assert Model.load(Path("ptbxl-base")).task == "form"


@pytest.mark.usefixtures("package")
def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(WrongRequest, match=r'ptbxl-bsae holds no model.*Nearest: "ptbxl-base"\.$'):
        Model.load("ptbxl-bsae")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed; gives what it prints."""

    def called(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ecgenough", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return capsys.readouterr().out

    return called


@pytest.mark.usefixtures("package")
def test_predicting_without_a_model_uses_it(simulated: Path, command: Callable[..., str]) -> None:
    file = str(next((simulated / "superclasses").rglob("*.hea")))
    everything = command("predict", file)
    assert all(f"{file}: {task}\n" in everything for task in SIX.split("+"))
    assert "myocardial infarction" in everything
    form = json.loads(command("predict", file, "--task", "form", "--json"))[0]
    assert {row["class"] for row in form["classes"]} == set(Model.load("ptbxl-base").for_task("form").classes)
    assert "superdiagnostic (5), subdiagnostic (15)" in command("models")


@pytest.mark.usefixtures("package")
def test_all_tasks_or_one_are_evaluated_by_name(stores: dict[str, Store], command: Callable[..., str]) -> None:
    store = str(stores["superclasses"].path)
    rows = [line.split()[0] for line in command("evaluate", "ptbxl-base", store, "--out", "six").splitlines()]
    assert rows[1:8] == ["macro", *SIX.split("+")]
    rhythm = command("evaluate", "ptbxl-base", store, "--task", "rhythm", "--out", "rhythm")
    assert "macro" in rhythm
    assert "form" not in rhythm


def test_units_order_and_spelling_of_leads_change_nothing(run: Path, ecg: Ecg) -> None:
    model = Model.load(run)
    expected = model.predict(ecg).probabilities
    order = np.random.default_rng(0).permutation(12)
    shuffled = replace(
        ecg, signal=ecg.signal[order], leads=tuple(f"MDC_ECG_LEAD_{ecg.leads[i].upper()}" for i in order)
    )
    assert model.predict(shuffled).probabilities == expected
    microvolts = replace(ecg, signal=to_millivolts(np.rint(ecg.signal * 1000), "uV"))
    assert model.predict(microvolts).probabilities == pytest.approx(expected, abs=1e-6)
    kept = [row for row, lead in enumerate(ecg.leads) if lead not in ("III", "aVR", "aVL", "aVF")]
    eight = replace(ecg, signal=ecg.signal[kept], leads=tuple(ecg.leads[row] for row in kept))
    answer = model.predict(eight)
    assert answer.probabilities == pytest.approx(expected, abs=0.02)  # derived leads differ by their rounding
    assert answer.notes == ("Leads III, aVR, aVL, aVF are derived from leads I and II.",)


def test_a_long_recording_gets_the_mean_of_its_windows(run: Path, ecg: Ecg) -> None:
    model = Model.load(run)
    other = replace(ecg, signal=ecg.signal[:, ::-1])
    both = replace(ecg, signal=np.concatenate([ecg.signal, other.signal], axis=1))
    raw = replace(model, calibration=model.calibration.none(len(model.classes)))

    def logits(recording: Ecg) -> np.ndarray:
        chance = np.asarray(raw.predict(recording).probabilities)
        return np.log(chance / (1 - chance))

    assert both.duration == 20
    np.testing.assert_allclose(logits(both), (logits(ecg) + logits(other)) / 2, atol=1e-4)
    assert model.predict(both).notes == ("It lasts 20 s; the answer is the mean over 2 windows of 10 s.",)


@pytest.mark.parametrize("seconds", [5, 7.5, 10, 12, 31, 60])
def test_any_length_from_5_to_60_s_is_answered(run: Path, ecg: Ecg, seconds: float) -> None:
    samples = round(seconds * ecg.rate)
    long = np.tile(ecg.signal, 6)[:, :samples]
    assert all(0 <= p <= 1 for p in Model.load(run).predict(replace(ecg, signal=long)).probabilities)


def test_what_cannot_be_answered_is_refused_in_a_sentence(run: Path, ecg: Ecg) -> None:
    model = Model.load(run)
    with pytest.raises(BrokenRecord, match="lead V6 is absent and cannot be derived"):
        model.predict(replace(ecg, signal=ecg.signal[:11], leads=ecg.leads[:11]))
    with pytest.raises(BrokenRecord, match="at least 1 s is needed"):
        model.predict(replace(ecg, signal=ecg.signal[:, :50]))
    with pytest.raises(BrokenRecord, match="the recording is flat"):
        model.predict(replace(ecg, signal=np.zeros_like(ecg.signal)))


def test_installing_writes_the_card_and_the_table(
    run: Path, stores: dict[str, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "models")
    install("ptbxl-base", run, stores["superclasses"], tmp_path / "pages")
    card = (tmp_path / "models" / "ptbxl-base" / "README.md").read_text()
    summary = json.loads((run / "validation" / "metrics.json").read_text())
    for task in SIX.split("+"):
        assert f"| {task} | " in card
        assert (
            f"| {task} | {summary['tasks'][task]['macro']['auc']['value']:.3f} ("
            in (tmp_path / "pages" / "README.md").read_text()
        )
    assert "not a medical" in card
    assert "CC BY 4.0" in card
    header, *rows = (tmp_path / "pages" / "results" / "ptbxl-base-calibration.csv").read_text().splitlines()
    assert len(rows) == len(Model.load(run).classes)
    assert header.count(",") == rows[0].count(",")


def test_the_leaderboard_has_a_row_for_each_run_and_one_for_their_mean(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaderboard, "MEMBERS", {"one": ("seed=0",), "two": ("seed=1",)})
    monkeypatch.setattr(leaderboard, "SHARES", (0.5,))
    store = replace(stores["superclasses"], train_folds=(7, 8))
    recipe = tiny.with_changes(["task=superdiagnostic+all", "training.epochs=1"])
    table = tmp_path / "table.csv"
    leaderboard.write_leaderboard(store, recipe, tmp_path / "board", table)
    rows = pd.read_csv(table)
    assert rows["run"].tolist() == ["one", "two", "mean of these 2", "taught, share 0.5"]
    assert rows["fold"].tolist() == [9, 9, 9, 9]
    probabilities = [
        pd.read_csv(tmp_path / "board" / name / "tasks" / "all" / "validation" / "predictions.csv")
        for name in ("one", "two")
    ]
    labels = probabilities[0].filter(like="y_").to_numpy()
    mean = sum(logit(table.filter(like="p_").to_numpy().clip(1e-6, 1 - 1e-6)) for table in probabilities)
    scored = [column for column in range(labels.shape[1]) if 0 < labels[:, column].sum() < len(labels)]
    expected = np.mean([roc_auc_score(labels[:, column], mean[:, column]) for column in scored])
    assert rows["all"][2] == pytest.approx(expected, abs=2e-3)  # predictions.csv holds six digits; ties may fall apart


def test_a_choice_is_compared_on_folds_that_its_networks_did_not_learn_from(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    store = replace(stores["superclasses"], train_folds=(7, 8))
    recipe = tiny.with_changes(["task=superdiagnostic+all", "training.epochs=1", "training.batch=16"])
    runs, table = tmp_path / "folds", tmp_path / "folds.csv"
    confirm.confirm(store, recipe, runs, table, choices=["taught by it", "batches of 128"], folds=[8, 9])
    rows = pd.read_csv(table)
    assert rows["run"].tolist() == ["as shipped", "taught by it", "batches of 128"] * 2
    for fold, others in ((8, [7, 9]), (9, [7, 8])):
        card = json.loads((runs / str(fold) / "taught-by-it" / "model" / "model.json").read_text())
        assert card["origin"]["folds"] == {"train": others, "validation": [fold]}
        assert card["recipe"]["distillation"]["teachers"] == [str(runs / str(fold) / "as-shipped")]
    means = rows.pivot(index="fold", columns="run", values="mean")
    gain = float((means["taught by it"] - means["as shipped"]).mean())
    (shown,) = (line for line in table.with_suffix(".md").read_text().splitlines() if line.startswith("| taught"))
    assert float(shown.rsplit("|", 2)[1].split()[0]) == pytest.approx(gain, abs=6e-5)
    with pytest.raises(WrongRequest, match="may know the folds"):
        confirm.confirm(store, load_recipe("ptbxl-base"), runs, table)


def test_a_network_and_a_baseline_are_scored_alone_and_together(
    run: Path, stores: dict[str, Store], tmp_path: Path
) -> None:
    store = stores["superclasses"]
    baseline = run_baseline("demographics", store, "superdiagnostic", tmp_path / "baseline")
    beside.compare(str(run), [baseline], store, 9, tmp_path / "table.md")
    network = pd.read_csv(run / "tasks" / "superdiagnostic" / "validation" / "predictions.csv").set_index("record")
    other = pd.read_csv(baseline / "validation" / "predictions.csv").set_index("record").loc[network.index]
    labels, (ours, theirs) = network.filter(like="y_"), (table.filter(like="p_") for table in (network, other))
    expected = [roc_auc_score(labels, values) for values in (ours, theirs, expit(logit(ours) + logit(theirs)))]
    line = (tmp_path / "table.md").read_text().splitlines()[-1]
    assert [float(cell) for cell in line.split("|")[2:5]] == pytest.approx(expected, abs=2e-3)  # ties, as above
    other_task = run_baseline("prevalence", stores["embolism"], "embolism", tmp_path / "other")
    with pytest.raises(WrongRequest, match="answers embolism"):
        beside.compare(str(run), [other_task], store, 9, tmp_path / "table.md")


@pytest.mark.parametrize("name", shipped.names())
def test_a_model_of_the_package_is_whole(name: str, ecg: Ecg) -> None:
    model = Model.load(name)
    assert model.task == SIX
    assert len(model.seen) > 19_000  # folds 1-9 of PTB-XL
    assert all(0 < p < 1 for p in model.predict(ecg).probabilities)
    assert "not a medical" in (shipped.FOLDER / name / "README.md").read_text()
    assert str(Path.home()) not in (shipped.FOLDER / name / "model.json").read_text()


@pytest.mark.parametrize("name", shipped.names())
def test_five_seconds_are_answered_as_the_ten_that_repeat_them(name: str, ecg: Ecg) -> None:
    """Networks that saw ten seconds alone take silence after five for a finding: of 90% of normal ECGs 24% were called so."""
    model = Model.load(name)
    half = ecg.signal[:, : round(5 * ecg.rate)]
    short, whole = (model.predict(replace(ecg, signal=signal)) for signal in (half, np.tile(half, 2)))
    apart = np.abs(np.subtract(short.probabilities, whole.probabilities))
    assert apart.max() < 0.01 or not model.network.by_gradients  # trees measure what is there
    assert apart.mean() < 0.03


def test_the_models_of_the_package_weigh_under_20_mb() -> None:
    assert sum(file.stat().st_size for file in shipped.FOLDER.rglob("*") if file.is_file()) < 20e6


@pytest.mark.parametrize("name", shipped.names())
def test_500_hz_and_100_hz_get_nearly_the_same_answer(name: str, real_data: Path) -> None:
    twins = compare_twins(Model.load(name), real_data / "ptb-xl-500hz", real_data / "ptb-xl")
    assert len(twins.fine) > 400
    assert twins.mean_difference < 0.03
