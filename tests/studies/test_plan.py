"""Plans: how many cells, what tells them apart, what is done once, and sources that would give their target away."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecgenough.errors import WrongRequest
from ecgenough.studies.plan import Plan, plan_study
from ecgenough.studies.study import Study, load_study, shipped_studies


def _names(plan: Plan) -> dict[str, tuple[object, ...]]:
    return {
        cell.fingerprint: (cell.arm, cell.target, cell.recipe.seed, cell.split.repeat, cell.split.fold, cell.split.size)
        for cell in plan.cells
    }


def test_cells_are_arms_times_seeds_times_folds_times_sizes(settings: dict[str, Any]) -> None:
    bigger = {
        **settings,
        "seeds": [0, 1, 2],
        "resampling": {"kind": "k-fold", "folds": 4, "repeats": 2},
        "sizes": [20, 40],
    }
    plan = plan_study(Study.of(bigger))
    networks, baselines = 2 * 3 * (4 * 2) * 3, 2 * (4 * 2) * 3  # arms x seeds x folds x (all, 20, 40); one seed
    assert len(plan.cells) == networks + baselines
    assert len(set(_names(plan).values())) == len(plan.cells)
    assert len(plan.pretrainings) == 1  # one network, one source: learned once
    assert len(plan.stores) == 2


def test_the_same_study_has_the_same_cells_and_more_repeats_keep_those_there_were(settings: dict[str, Any]) -> None:
    once, again = plan_study(Study.of(settings)), plan_study(Study.of(settings))
    assert _names(once) == _names(again)
    more = plan_study(Study.of({**settings, "seeds": [0, 7], "resampling": {**settings["resampling"], "repeats": 2}}))
    assert _names(once).items() <= _names(more).items()


@pytest.mark.parametrize(
    "change",
    [
        {"resampling": {"kind": "k-fold", "folds": 2, "seed": 5}},
        {"resampling": {"kind": "k-fold", "folds": 2, "validation": 0.3}},
        {"resampling": {"kind": "published"}},
        {"seeds": [5]},
    ],
)
def test_whatever_decides_a_figure_changes_the_cell(settings: dict[str, Any], change: dict[str, Any]) -> None:
    networks = {cell.fingerprint for cell in plan_study(Study.of(settings)).cells if cell.kind == "network"}
    assert not networks & set(_names(plan_study(Study.of({**settings, **change}))))


def test_changed_labels_are_other_cells(settings: dict[str, Any], simulated: Path, tmp_path: Path) -> None:
    lines = (simulated / "embolism" / "labels.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    manifests = {}
    for name, flipped in (("same", None), ("other", 3)):
        path = tmp_path / f"{name}.csv"
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["path", "patient", "label"])
            for number, row in enumerate(rows):
                label = int(row["embolism"]) ^ (number == flipped)
                table.writerow([f"{row['path'].removesuffix('.hea')}.hea", row["patient"], label])
        target = {"pe": {"data": str(path), "folder": str(simulated / "embolism")}}
        manifests[name] = set(_names(plan_study(Study.of({**settings, "targets": target}))))
    assert not manifests["same"] & manifests["other"]


def test_a_size_as_large_as_the_training_part_is_left_out_and_said(settings: dict[str, Any]) -> None:
    plan = plan_study(Study.of({**settings, "sizes": [30, 64]}))
    assert {cell.split.size for cell in plan.cells} == {None, 30}  # 160 records: half learn, a fifth of them choose: 64
    assert any("size 64 is left out" in note for note in plan.notes)


def test_a_source_of_the_target_s_own_collection_does_without_the_target_s_patients(
    settings: dict[str, Any], simulated: Path
) -> None:
    collection = {"data": "ptb-xl", "folder": str(simulated / "superclasses")}
    study = {**settings, "sources": {"super": collection}, "targets": {"rhythm": {**collection, "task": "form"}}}
    plan = plan_study(Study.of(study))
    assert [source.recipe.leave_out for source in plan.pretrainings] == ["form"]
    assert any("the source learns without the patients of form" in note for note in plan.notes)
    apart = plan_study(Study.of(settings))
    assert [source.recipe.leave_out for source in apart.pretrainings] == [None]


def test_a_source_that_is_its_own_target_is_refused(settings: dict[str, Any], simulated: Path) -> None:
    collection = {"data": "simulated", "folder": str(simulated / "embolism")}
    with pytest.raises(WrongRequest, match='source "a" and target "b" are the same records'):
        plan_study(Study.of({**settings, "sources": {"a": collection}, "targets": {"b": collection}}))


def test_the_same_configuration_under_two_names_is_refused(settings: dict[str, Any]) -> None:
    twice = dict.fromkeys(("one", "two"), settings["networks"]["tiny"])
    with pytest.raises(WrongRequest, match=r'"two scratch" on pe is the same as "one scratch"'):
        plan_study(Study.of({**settings, "networks": twice}))


def test_an_unknown_task_is_refused_with_the_nearest(settings: dict[str, Any], simulated: Path) -> None:
    target = {"pe": {"data": "simulated", "folder": str(simulated / "embolism"), "task": "emboli"}}
    with pytest.raises(WrongRequest, match='Nearest: "embolism"'):
        plan_study(Study.of({**settings, "targets": target}))


@pytest.mark.parametrize("name", shipped_studies())
def test_every_shipped_study_can_be_planned(name: str) -> None:
    """With simulated collections in the place of those that it names."""
    written = yaml.safe_load(load_study(name).to_yaml())
    for number, part in enumerate([*written["sources"].values(), *written["targets"].values()]):
        part |= {"data": None, "folder": None, "simulate": {"kind": "superclasses", "records": 400, "seed": number}}
        part |= {"task": None}
    study = Study.of(written)
    plan = plan_study(study)
    divisions = (
        1
        if written["resampling"]["kind"] == "published"
        else (written["resampling"]["folds"] * written["resampling"]["repeats"])
    )
    assert len(plan.cells) == divisions * (1 + len(study.sizes)) * (len(study.arms()) + len(study.baselines))
    assert set(study.baselines) == {"prevalence", "demographics", "intervals", "minirocket"}
    assert len(plan.pretrainings) == len(study.sources) * len(study.networks)
