"""Trained models teach another: what it is shown, what it remembers, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgenough import baselines
from ecgenough.baselines import Baseline
from ecgenough.commands.choosing import chosen_recipe
from ecgenough.errors import WrongRequest
from ecgenough.learning.cross_fitting import PARTS, _patient_parts, cross_fitted
from ecgenough.learning.distillation import answers_of, mixed
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import one_run, runs
from ecgenough.studies.pretraining import run_pretraining


@pytest.fixture(scope="module")
def teacher(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny.with_changes(["training.epochs=1"])
    return runs.train(stores["superclasses"], recipe, tmp_path_factory.mktemp("runs") / "teacher", "cpu")


def taught_by(teacher: Path, recipe: Recipe, *changes: str) -> Recipe:
    return recipe.with_changes(["training.epochs=1", f"distillation.teachers=[{teacher}]", *changes])


def test_targets_are_label_and_answer_in_their_shares(teacher: Path, stores: dict[str, Store]) -> None:
    store, model = stores["superclasses"], Model.load(teacher)
    rows = store.rows("superdiagnostic", (9,))[:5]
    labels = store.task("superdiagnostic").labels[rows].copy()
    labels[0, 1] = np.nan
    found = mixed(labels, 0.25, [answers_of(model, store, rows, torch.device("cpu"))] * 2)
    table = np.genfromtxt(
        teacher / "validation" / "predictions.csv", delimiter=",", names=True, dtype=None, encoding=None
    )
    answers = {str(line["record"]): [line[f"p_{name}"] for name in model.classes] for line in table}
    expected = 0.75 * labels + 0.25 * np.array([answers[store.records[row]] for row in rows])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.isnan(found[0, 1])
    fond = replace(model, recipe=model.recipe.with_changes(["labels=likelihood"]))
    bare = replace(store, tasks={name: replace(task, likelihoods=None) for name, task in store.tasks.items()})
    np.testing.assert_array_equal(mixed(labels, 0.25, [answers_of(fond, bare, rows, torch.device("cpu"))] * 2), found)


def test_a_pupil_of_full_weight_never_sees_the_labels(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    store = stores["superclasses"]
    pupil = runs.train(store, taught_by(teacher, tiny, "distillation.weight=1"), tmp_path / "pupil", "cpu")
    plain = runs.train(store, taught_by(teacher, tiny, "distillation.weight=0"), tmp_path / "plain", "cpu")
    alone = runs.train(store, tiny.with_changes(["training.epochs=1"]), tmp_path / "alone", "cpu")
    weights = [Model.load(run).network.state_dict() for run in (plain, alone, pupil)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert any(not torch.equal(value, weights[1][name]) for name, value in weights[2].items())


def test_a_pupil_says_who_taught_it_and_knows_whom_they_have_seen(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    recipe = taught_by(teacher, tiny)
    pupil = runs.train(stores["superclasses"], recipe, tmp_path / "pupil", "cpu")
    model, card = Model.load(pupil), json.loads((teacher / "model" / "model.json").read_text())
    assert model.origin["teachers"] == {str(teacher): card["weights_sha256"]}
    assert np.isin(Model.load(teacher).seen, model.seen).all()
    assert runs.train(stores["superclasses"], recipe, pupil, "cpu") == pupil  # finished: left as it is


def test_a_teacher_of_another_task_is_refused(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(WrongRequest, match='this model has no task "embolism"'):
        runs.train(stores["embolism"], taught_by(teacher, tiny), tmp_path / "pupil", "cpu")


def test_a_teacher_that_has_seen_the_test_records_is_refused(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    store = stores["superclasses"]
    knowing = Model.load(teacher)
    tested = store.hashes[store.rows("superdiagnostic", store.test_folds)]
    folder = tmp_path / "knowing"
    replace(knowing, seen=np.union1d(knowing.seen, tested[:1])).save(folder)
    with pytest.raises(WrongRequest, match=r"teacher .* has seen 1 of the records that are to test"):
        runs.train(store, taught_by(folder, tiny), tmp_path / "pupil", "cpu")


def test_pretraining_without_labels_has_no_teachers(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    recipe = taught_by(teacher, tiny, "pretraining.objective=masked", "training.select=loss")
    with pytest.raises(WrongRequest, match="distillation"):
        run_pretraining(stores["superclasses"], recipe, tmp_path / "pretrained", "cpu")


def test_a_baseline_s_answers_come_from_other_patients(
    stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores["superclasses"]
    rows = store.rows("superdiagnostic", store.train_folds)
    fitted_on: list[set[str]] = []
    fit = baselines.fit

    class Witness:
        def __init__(self, baseline: Baseline, known: set[str]) -> None:
            self.baseline, self.known = baseline, known

        def probabilities(self, store: Store, rows: np.ndarray) -> np.ndarray:
            assert not self.known & {store.patients[row] for row in rows}
            return self.baseline.probabilities(store, rows)

    def witnessed(name: str, store: Store, task: str, rows: np.ndarray, seed: int) -> Witness:
        fitted_on.append({store.patients[row] for row in rows})
        return Witness(fit(name, store, task, rows, seed), fitted_on[-1])

    monkeypatch.setattr(baselines, "fit", witnessed)
    answers = cross_fitted("demographics", store, "superdiagnostic", rows, seed=5)
    assert len(fitted_on) == PARTS
    assert set.union(*fitted_on) == {store.patients[row] for row in rows}
    assert np.isfinite(answers).all()
    again = cross_fitted("demographics", store, "superdiagnostic", rows, seed=5)  # from the file beside the store
    assert len(fitted_on) == PARTS
    assert np.array_equal(answers, again)
    monkeypatch.setattr(baselines, "edition", {"demographics": 99}.get)  # of a package that would answer otherwise
    cross_fitted("demographics", store, "superdiagnostic", rows, seed=5)
    assert len(fitted_on) == 2 * PARTS
    superclasses = store.task("superdiagnostic")
    opposite = replace(superclasses, labels=1 - superclasses.labels, likelihoods=None)
    relabelled = replace(store, tasks={"superdiagnostic": opposite})
    assert not np.allclose(cross_fitted("demographics", relabelled, "superdiagnostic", rows, seed=5), answers, atol=0.1)
    older = replace(store, ages=store.ages + 10 * (store.ages < 60))
    assert not np.array_equal(cross_fitted("demographics", older, "superdiagnostic", rows, seed=5), answers)


def test_a_baseline_teaches_only_the_tasks_a_record_takes_part_in(stores: dict[str, Store]) -> None:
    store, task = stores["superclasses"], "superdiagnostic+form"
    rows = store.rows(task, store.train_folds)
    answers = cross_fitted("prevalence", store, task, rows, seed=0)
    assert np.array_equal(np.isnan(answers), np.isnan(store.task(task).labels[rows]))


def test_a_baseline_teaches_with_others_and_alone(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    store = stores["superclasses"]
    shares = ["distillation.baselines=[demographics]", "distillation.weight=1"]
    alone = taught_by(teacher, tiny, "distillation.teachers=[]", *shares)
    models = [
        Model.load(runs.train(store, recipe, tmp_path / str(number), "cpu"))
        for number, recipe in enumerate((alone, taught_by(teacher, tiny, *shares), taught_by(teacher, tiny)))
    ]
    heads = [next(reversed(model.network.state_dict().values())) for model in models]
    assert not torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[1], heads[2])
    assert models[0].origin["teachers"] == {}


WITNESSED = """
import os, sys, time
from pathlib import Path
from ecgenough import baselines
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs

store, recipe, out, fits = map(Path, sys.argv[1:])
fit = baselines.fit

def witnessed(*asked):
    with fits.open("a") as file:
        file.write(os.environ["RANK"])
    time.sleep(2)  # until the other process is here, too
    return fit(*asked)

baselines.fit = witnessed
runs.train(Store.open(store), Recipe.from_yaml(recipe.read_text(), "recipe"), out, "cpu")
"""


def test_of_two_processes_the_first_fits_and_the_other_reads(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    """By torchrun over gloo; both used to fit the same trees at the same time."""
    store, script, fits = tmp_path / "store", tmp_path / "witnessed.py", tmp_path / "fits"
    shutil.copytree(stores["superclasses"].path, store)
    script.write_text(WITNESSED)
    changes = ["training.epochs=1", "distillation={teachers: [], baselines: [prevalence]}"]
    (tmp_path / "recipe.yaml").write_text(tiny.with_changes(changes).to_yaml())
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, str(script), str(store), str(tmp_path / "recipe.yaml"), str(tmp_path / "run"), str(fits)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert fits.read_text() == "0" * PARTS
    assert (tmp_path / "run" / "model" / "model.json").is_file()


PATIENT = """
import os, sys, time
from datetime import timedelta
from pathlib import Path
from torch.distributed import distributed_c10d
from ecgenough.recipe import load_recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs

store, out = map(Path, sys.argv[1:])
opened = runs.open_fabric

def impatient(*asked):
    fabric = opened(*asked)
    distributed_c10d._set_pg_timeout(timedelta(seconds=2))  # which is half an hour otherwise
    return fabric

def carry_out_trees(run, watchers):
    time.sleep(6)
    out.write_text(os.environ["RANK"])

runs.open_fabric, runs.carry_out_trees = impatient, carry_out_trees
runs.train(Store.open(store), load_recipe("calipers"), out.with_name("run"), "cpu")
assert out.read_text() == "0"
"""


def test_of_two_processes_the_other_waits_for_trees_as_long_as_they_take(
    stores: dict[str, Store], tmp_path: Path
) -> None:
    """By torchrun over gloo; a barrier ended the run where they took longer than a collective may."""
    script = tmp_path / "patient.py"
    script.write_text(PATIENT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, str(script), str(stores["superclasses"].path), str(tmp_path / "told")]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SHARED = """
import os, sys
from pathlib import Path
import numpy as np
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import one_run, runs

store, recipe, out, told = map(Path, sys.argv[1:])
answers_of, mixed = one_run.answers_of, one_run.mixed

def counted(model, store, rows, device):
    (told / f"asked-{os.environ['RANK']}").write_text(str(len(rows)))
    return answers_of(model, store, rows, device)

def kept(labels, weight, answers):
    np.save(told / f"answers-{os.environ['RANK']}.npy", answers[0])
    return mixed(labels, weight, answers)

one_run.answers_of, one_run.mixed = counted, kept
runs.train(Store.open(store), Recipe.from_yaml(recipe.read_text(), "recipe"), out, "cpu")
"""


def test_of_two_processes_each_asks_the_teacher_of_its_share(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    """By torchrun over gloo; each used to ask it of all records."""
    store, script, told = tmp_path / "store", tmp_path / "shared.py", tmp_path / "told"
    shutil.copytree(stores["superclasses"].path, store)
    script.write_text(SHARED)
    told.mkdir()
    (tmp_path / "recipe.yaml").write_text(taught_by(teacher, tiny).to_yaml())
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, str(script), str(store), str(tmp_path / "recipe.yaml"), str(tmp_path / "run"), str(told)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = stores["superclasses"].rows("superdiagnostic", stores["superclasses"].train_folds)
    assert len(rows) % 2 == 1  # so that one share is filled up
    assert [int((told / f"asked-{rank}").read_text()) for rank in (0, 1)] == [-(-len(rows) // 2)] * 2
    alone = answers_of(Model.load(teacher), stores["superclasses"], rows, torch.device("cpu"))
    for rank in (0, 1):
        np.testing.assert_allclose(np.load(told / f"answers-{rank}.npy"), alone, atol=1e-6)


def test_nobody_to_ask_is_refused(tiny: Recipe) -> None:
    with pytest.raises(WrongRequest, match=r"distillation.* needs a teacher or a baseline"):
        tiny.with_changes(["distillation.teachers=[]"])


def test_too_few_patients_for_a_baseline_to_teach_are_refused(stores: dict[str, Store]) -> None:
    store = stores["superclasses"]
    with pytest.raises(WrongRequest, match="there are 2 patients to learn from"):
        cross_fitted(
            "prevalence",
            replace(store, patients=("a", "b") * (len(store.patients) // 2)),
            "superdiagnostic",
            store.rows("superdiagnostic", (1,)),
            seed=0,
        )


def test_patients_with_one_waveform_are_answered_by_a_baseline_that_knows_neither(stores: dict[str, Store]) -> None:
    store = stores["superclasses"]
    rows = store.rows("superdiagnostic", store.train_folds)
    names = list(store.patients)
    alike = [next(row for row in rows if names[row] == name) for name in sorted({names[row] for row in rows})[:6]]
    hashes = store.hashes.copy()
    hashes[alike] = hashes[alike[0]]
    apart, together = (_patient_parts(each, rows, seed=0) for each in (store, replace(store, hashes=hashes)))
    twins = np.isin(np.array(names)[rows], np.array(names)[alike])
    assert len(set(apart[twins])) > 1
    assert len(set(together[twins])) == 1


def test_a_baseline_that_cannot_teach_is_refused_before_the_teachers_answer(
    teacher: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_run, "answers_of", None)
    unknown = taught_by(teacher, tiny, "distillation.baselines=[interval]")
    with pytest.raises(WrongRequest, match='Nearest: "intervals"'):
        runs.train(stores["superclasses"], unknown, tmp_path / "unknown", "cpu")
    with pytest.raises(WrongRequest, match='Nearest: "intervals"'):
        chosen_recipe("ptbxl-small", ["distillation.baselines=[interval]"])
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(WrongRequest, match=r"ecgenough\[baselines\]"):
        chosen_recipe("ptbxl-small", [])
    chosen_recipe("ptbxl-small", ["distillation.baselines=[prevalence]"])
