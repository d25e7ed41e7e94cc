"""Which records train, choose and test: patients who are promised to another task stay out of training."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ecgenough.datasets.table import Task
from ecgenough.errors import WrongRequest
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.baseline_runs import run_baseline
from ecgenough.studies.pretraining import run_pretraining
from ecgenough.studies.splits import divide, refuse_overlap, seen_rows, split_rows


@pytest.fixture(scope="module")
def two_tasks(stores: dict[str, Store]) -> Store:
    """The superclasses and a task "small" of every third record; its patients have other records too."""
    store = stores["superclasses"]
    listed = np.arange(len(store.records)) % 3 == 0
    labels = (np.arange(len(store.records)) % 2).astype(np.float32)[:, None]
    return replace(store, tasks={**store.tasks, "small": Task("small", ("odd",), labels, listed)})


@pytest.fixture(scope="module")
def source(two_tasks: Store, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny.with_changes(["leave_out=small", "training.epochs=1", "training.select=last"])
    return runs.train(two_tasks, recipe, tmp_path_factory.mktemp("runs") / "source", "cpu")


def test_no_patient_of_the_other_task_trains_or_chooses(two_tasks: Store) -> None:
    whole, spared = split_rows(two_tasks, None), split_rows(two_tasks, None, "small")
    patients = np.asarray(two_tasks.patients)
    named = set(patients[two_tasks.task("small").listed])
    assert any(patients[row] in named and row % 3 for row in whole["train"])  # some by their patient alone
    for part in ("train", "validation"):
        assert spared[part].tolist() == [row for row in whole[part] if patients[row] not in named]
        assert 0 < len(spared[part]) < len(whole[part])
    assert spared["test"].tolist() == whole["test"].tolist()


def test_a_copy_of_a_record_of_the_other_task_is_left_out_whoever_s_it_is(two_tasks: Store) -> None:
    row = int(split_rows(two_tasks, None, "small")["train"][0])
    hashes = two_tasks.hashes.copy()
    hashes[row] = hashes[0]
    assert row not in split_rows(replace(two_tasks, hashes=hashes), None, "small")["train"]


def test_the_source_can_be_carried_over_to_what_was_left_out(
    source: Path, two_tasks: Store, tiny: Recipe, tmp_path: Path
) -> None:
    changes = ["task=small", "transfer.mode=frozen", "training.epochs=1", "training.select=last"]
    recipe = runs.recipe_for_transfer(Model.load(source), tiny.with_changes(changes))
    assert Model.load(runs.transfer(source, two_tasks, recipe, tmp_path / "small", "cpu")).classes == ("odd",)


def test_a_source_that_left_no_one_out_is_refused_with_the_way_out(
    two_tasks: Store, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = tiny.with_changes(["training.epochs=1", "training.select=last"])
    plain = runs.train(two_tasks, recipe, tmp_path / "plain", "cpu")
    asked = runs.recipe_for_transfer(Model.load(plain), recipe.with_changes(["task=small", "transfer.mode=frozen"]))
    with pytest.raises(WrongRequest, match="--leave-out small"):
        runs.transfer(plain, two_tasks, asked, tmp_path / "small", "cpu")


def test_the_run_says_who_was_left_out(
    source: Path, two_tasks: Store, tiny: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, spared = split_rows(two_tasks, None), split_rows(two_tasks, None, "small")
    gone = [row for part in ("train", "validation") for row in set(whole[part]) - set(spared[part])]
    patients = len({two_tasks.patients[row] for row in gone})
    expected = {"task": "small", "records": len(gone), "patients": patients}
    flow = json.loads((source / "data.json").read_text())
    assert flow["left_out"] == expected
    assert flow["records"]["train"] == len(spared["train"])
    pretraining = tiny.with_changes(["pretraining.objective=masked", "leave_out=small", "training.epochs=1"])
    folder = run_pretraining(two_tasks, pretraining.with_changes(["training.select=loss"]), tmp_path / "p", "cpu")
    assert f"patients are in small: {len(gone)} records of {patients} patients" in capsys.readouterr().err
    assert json.loads((folder / "data.json").read_text())["left_out"] == expected
    assert not set(np.asarray(two_tasks.hashes)[gone].tolist()) & set(Model.load(folder).seen.tolist())


def test_an_unknown_task_and_one_that_leaves_nothing_are_refused(two_tasks: Store) -> None:
    with pytest.raises(WrongRequest, match=r'no task "smal"\. Nearest: "small"'):
        split_rows(two_tasks, None, "smal")
    with pytest.raises(WrongRequest, match=r"in its train folds .* once the patients of superdiagnostic are left out"):
        split_rows(two_tasks, None, "superdiagnostic")


def test_other_records_of_the_source_s_patients_are_refused_too(source: Path, two_tasks: Store) -> None:
    """The same people, recorded anew: no waveform is known, but their patients are."""
    model = Model.load(source)
    anew = replace(two_tasks, hashes=two_tasks.hashes + np.uint64(1))
    rows = split_rows(two_tasks, None, "small")
    known = int(min(rows["train"].min(), rows["validation"].min()))
    with pytest.raises(WrongRequest) as refusal:
        refuse_overlap(model, anew, "superdiagnostic")
    assert f"(first: {anew.patients[known]})" in str(refusal.value)
    assert "--leave-out superdiagnostic" in str(refusal.value)
    refuse_overlap(model, anew, "small")
    assert len(seen_rows(model, anew, np.arange(len(anew.records)))) >= len(rows["train"])


def test_patients_of_another_collection_are_other_people(source: Path, two_tasks: Store) -> None:
    elsewhere = replace(two_tasks, name="elsewhere", hashes=two_tasks.hashes + np.uint64(1))
    refuse_overlap(Model.load(source), elsewhere, "superdiagnostic")
    with pytest.raises(
        WrongRequest, match=r"were among those .* Leave them out of elsewhere, or carry over"
    ) as refusal:
        refuse_overlap(Model.load(source), replace(two_tasks, name="elsewhere"), "superdiagnostic")
    assert "--leave-out" not in str(refusal.value)  # which takes a task of what was learned from
    rows = np.arange(20)
    assert len(np.unique(elsewhere.patient_hashes(rows))) == len({elsewhere.patients[row] for row in rows})
    assert not np.isin(elsewhere.patient_hashes(rows), two_tasks.patient_hashes(rows)).any()


def test_a_record_without_a_patient_is_a_patient_of_its_own(two_tasks: Store) -> None:
    nameless = replace(two_tasks, patients=("",) * len(two_tasks.records))
    rows = np.arange(len(two_tasks.records))
    assert len(np.unique(nameless.patient_hashes(rows))) == len(rows)


def test_a_chain_of_transfers_remembers_every_patient(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    changes = ["transfer.mode=frozen", "training.epochs=1", "training.select=last"]
    recipe = runs.recipe_for_transfer(Model.load(source), tiny.with_changes(changes))
    embolism = stores["embolism"]
    carried = Model.load(runs.transfer(source, embolism, recipe, tmp_path / "carried", "cpu"))
    rows = split_rows(embolism, None)
    own = embolism.patient_hashes(np.concatenate([rows["train"], rows["validation"]]))
    assert set(carried.seen_patients.tolist()) == set(own.tolist()) | set(Model.load(source).seen_patients.tolist())


def test_a_model_folder_from_before_patients_were_kept_still_loads(source: Path, tmp_path: Path) -> None:
    tensors = load_file(source / "model" / "model.safetensors")
    del tensors["origin.patient_hashes"]
    save_file(tensors, tmp_path / "model.safetensors")
    card = json.loads((source / "model" / "model.json").read_text())
    card["weights_sha256"] = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    (tmp_path / "model.json").write_text(json.dumps(card))
    old = Model.load(tmp_path)
    assert len(old.seen_patients) == 0
    assert np.array_equal(old.seen, Model.load(source).seen)


def test_a_waveform_is_never_on_two_sides(two_tasks: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Copies, under other names: train-validation, train-test, validation-test; and two within training stay."""
    rows = split_rows(two_tasks, None)
    train, validation, test = (rows[part] for part in ("train", "validation", "test"))
    patients = np.asarray(two_tasks.patients)
    apart = next(row for row in train[4:] if patients[row] != patients[train[3]])
    hashes = two_tasks.hashes.copy()
    pairs = [(train[0], validation[0]), (train[1], test[0]), (validation[1], test[1]), (train[3], apart)]
    for copy, original in pairs:
        hashes[copy] = hashes[original]
    division = divide(replace(two_tasks, hashes=hashes), None)
    assert set(train) - set(division.rows["train"]) == {train[0], train[1]}
    assert set(validation) - set(division.rows["validation"]) == {validation[1]}
    assert division.rows["test"].tolist() == test.tolist()
    first = min(min(pair) for pair in pairs)
    names = sorted(next(pair for pair in pairs if first in pair))
    counts = division.to_counts(two_tasks)["repeated"]
    assert counts == {"records": 8, "left_out": 3, "first": [two_tasks.records[row] for row in names]}
    division.say(two_tasks, "superdiagnostic")
    said = capsys.readouterr().err
    assert "8 records of simulated have the waveform of a record of another patient or fold" in said
    assert f"(first: {two_tasks.records[names[0]]} and {two_tasks.records[names[1]]}); 3 were left out" in said


def test_twins_of_one_patient_in_one_fold_are_nothing_to_say(two_tasks: Store) -> None:
    train = split_rows(two_tasks, None)["train"]
    patients, hashes = list(two_tasks.patients), two_tasks.hashes.copy()
    one, other = train[:2]
    patients[other], hashes[other] = patients[one], hashes[one]
    folds = two_tasks.folds.copy()
    folds[other] = folds[one]
    division = divide(replace(two_tasks, patients=tuple(patients), hashes=hashes, folds=folds), None)
    assert not len(division.twins)


@pytest.mark.parametrize("select", ["macro_auc", "loss"])
def test_validation_folds_that_cannot_be_scored_are_refused_before_training(
    two_tasks: Store, tiny: Recipe, tmp_path: Path, select: str
) -> None:
    """No class has a negative in the validation folds."""
    labels = two_tasks.task(None).labels.copy()
    labels[split_rows(two_tasks, None)["validation"]] = 1
    task = replace(two_tasks.task(None), labels=labels, likelihoods=None)
    store = replace(two_tasks, tasks={**two_tasks.tasks, task.name: task})
    sentence = "no class of superdiagnostic has both positives and negatives in fold 9 of simulated"
    with pytest.raises(WrongRequest, match=sentence):
        runs.train(store, tiny.with_changes([f"training.select={select}"]), tmp_path / "run", "cpu")
    with pytest.raises(WrongRequest, match=sentence):
        run_baseline("prevalence", store, None, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folds_that_cannot_be_scored_are_refused_before_the_network_reads_them(
    source: Path, two_tasks: Store, tmp_path: Path
) -> None:
    labels = np.zeros_like(two_tasks.task(None).labels)
    task = replace(two_tasks.task(None), labels=labels, likelihoods=None)
    with pytest.raises(WrongRequest, match="has both positives and negatives in fold 10 of simulated"):
        runs.evaluate(Model.load(source), replace(two_tasks, tasks={task.name: task}), tmp_path / "e", device="cpu")
    assert not (tmp_path / "e").exists()
