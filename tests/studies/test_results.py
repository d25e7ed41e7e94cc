import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.made_study import MadeStudy, baseline, make_study, network

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.studies.results import Results, read_results

SMALL = MadeStudy((network("resnet18", "scratch", 1.0), baseline("prevalence", None)), patients=60, folds=2, seeds=(3,))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("studies") / "small", SMALL)


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shared, tmp_path / "small"))


def first_cell(results: Results) -> Path:
    return results.folder / "cells" / results.cells[0].cell


def test_cells_and_answers_are_read_as_they_were_written(shared: Path) -> None:
    results = read_results(shared)
    assert results.title == "Embolism from the ECG"
    assert [(cell.arm, cell.kind, cell.seed, cell.fold, cell.size) for cell in results.cells] == [
        ("resnet18 scratch", "network", 3, 1, None),
        ("resnet18 scratch", "network", 3, 2, None),
        ("prevalence", "baseline", 3, 1, None),
        ("prevalence", "baseline", 3, 2, None),
    ]
    cell = results.cells[0]
    assert (cell.classes, cell.titles, cell.thresholds) == (("PE",), ("acute pulmonary embolism",), (0.25,))
    answers = results.answers(cell)
    table = pd.read_csv(first_cell(results) / "predictions.csv")
    assert answers.records.tolist() == table["record"].tolist()
    assert answers.probabilities[:, 0] == pytest.approx(table["p_PE"])
    assert answers.labels[:, 0].tolist() == table["y_PE"].astype(bool).tolist()
    assert np.isnan(answers.age).sum() == table["age"].isna().sum()
    assert cell.test_records == len(table)


def test_a_record_of_nobody_known_is_its_own_patient(folder: Path) -> None:
    results = read_results(folder)
    path = first_cell(results) / "predictions.csv"
    table = pd.read_csv(path).astype({"patient": str})
    table.loc[0, "patient"] = ""
    table.to_csv(path, index=False)
    assert results.answers(results.cells[0]).patients[0] == table["record"][0]


def test_a_cell_that_is_not_done_needs_no_files(folder: Path) -> None:
    text = (folder / "cells.csv").read_text(encoding="utf-8")
    (folder / "cells.csv").write_text(text.replace(",done,", ",waiting,"), encoding="utf-8")
    shutil.rmtree(folder / "cells")
    assert {cell.status for cell in read_results(folder).cells} == {"waiting"}


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for path in folder.glob(name):
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: [path.unlink() for path in folder.glob(name)] and None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (change("study.yaml", "{", "{{"), "study.yaml is not YAML"),
        (change("study.yaml", "{", "- {"), "study.yaml must hold keys and values"),
        (change("cells.csv", "operations", "flops"), 'no column "operations"'),
        (change("cells.csv", "network,resnet18", "net,resnet18"), 'row 2: kind "net" is none of network, baseline'),
        (change("cells.csv", ",done,", ",perhaps,"), 'status "perhaps" is none of done, failed, waiting'),
        (change("cells.csv", ",3,0,1,", ",x,0,1,"), 'row 2: seed is "x", which is no number'),
        (change("cells.csv", ",3,0,1,", ",,0,1,"), "row 2: seed is empty"),
        (cut("cells/*/cell.json"), "does not describe its cell"),
        (change("cells/*/cell.json", '"classes": ["PE"]', '"classes": ["PE", "AF"]'), "differ in number"),
        (
            change(
                "cells/*/cell.json", '"classes": ["PE"]', '"classes": ["PE"], "validation_patients": [[3, 9], [4, 9]]'
            ),
            "differ in number",
        ),
        (
            change("cells/*/cell.json", '"classes": ["PE"]', '"classes": ["PE"], "validation_positives": "x"'),
            "does not describe its cell",
        ),
        (
            change("cells/*/cell.json", '"classes": ["PE"]', '"classes": ["PE"], "validation_patients": [3]'),
            "does not describe its cell",
        ),
        (cut("cells/*/predictions.csv"), "predictions.csv cannot be read"),
        (change("cells/*/predictions.csv", "p_PE", "p_AF"), 'no column "p_PE"'),
        (change("cells/*/predictions.csv", ",0\n", ",2\n"), "labels not 0 or 1"),
    ],
)
def test_a_damaged_folder_is_refused_in_a_sentence(folder: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(folder)

    def everything() -> None:
        results = read_results(folder)
        for cell in results.cells:
            results.answers(cell)

    with pytest.raises(EcgenoughError, match=words) as complaint:
        everything()
    assert "\n" not in str(complaint.value)


def test_a_record_twice_is_refused(folder: Path) -> None:
    results = read_results(folder)
    path = first_cell(results) / "predictions.csv"
    table = pd.read_csv(path)
    pd.concat([table, table.head(1)]).to_csv(path, index=False)
    with pytest.raises(EcgenoughError, match="lists no record, or one twice"):
        results.answers(results.cells[0])


def test_another_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="is not a study"):
        read_results(tmp_path)
