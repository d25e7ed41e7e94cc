"""CPSC-2018 in both its layouts."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecgenough.datasets import open_dataset
from ecgenough.errors import WrongRequest

DATA = os.environ.get("ECGENOUGH_DATA")
real = pytest.mark.skipif(DATA is None, reason="needs ECGENOUGH_DATA")
CLASSES = ("SNR", "AF", "IAVB", "LBBB", "RBBB", "PAC", "PVC", "STD", "STE")


def write_header(folder: Path, name: str, dx: str, age: str = "74", sex: str = "Male", samples: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    signals = "".join(f"{name}.mat 16+24 1000/mV 16 0 0 0 0 {lead}\n" for lead in ("I", "II"))
    comments = f"#Age: {age}\n#Sex: {sex}\n#Dx: {dx}\n#Rx: Unknown\n"
    (folder / f"{name}.hea").write_text(f"{name} 2 500 5000 05-Feb-2020 11:39:16\n{signals}{comments}")
    if samples:
        (folder / f"{name}.mat").touch()


def test_text_and_snomed_codes_say_the_same(tmp_path: Path) -> None:
    said = {
        "A0001": ("Normal", "426783006", {"SNR"}),
        "A0002": ("AF,RBBB", "164889003,59118001", {"AF", "RBBB"}),
        "A0003": ("I-AVB", "270492004", {"IAVB"}),
        "A0004": ("LBBB", "164909002", {"LBBB"}),
        "A0005": ("PAC", "284470004", {"PAC"}),
        "A0006": ("PVC", "164884008", {"PVC"}),
        "A0007": ("STD", "429622005", {"STD"}),
        "A0008": ("STE", "164931005", {"STE"}),
        "A0009": ("RBBB", "713427006", {"RBBB"}),
        "A0010": ("XYZ", "428750005", set()),
    }
    for column, spelling in enumerate(("text", "snomed")):
        for name, words in said.items():
            write_header(tmp_path / spelling / "deeper", name, str(words[column]))
        dataset = open_dataset("cpsc-2018", tmp_path / spelling)
        task = dataset.task(None)
        assert task.classes == CLASSES
        for row, (name, words) in enumerate(said.items()):
            assert dataset.records[row] == name
            assert {CLASSES[index] for index in np.flatnonzero(task.labels[row])} == words[2]
            assert bool(task.listed[row]) == bool(words[2])
    assert dataset.paths[0] == "deeper/A0001.hea"


def test_people_and_what_is_left_out(tmp_path: Path) -> None:
    for number in range(1, 13):
        write_header(tmp_path, f"A{number:04d}", "AF", age="NaN" if number == 1 else "60", sex="Female")
    write_header(tmp_path, "A0013", "AF", samples=False)
    write_header(tmp_path, "Q0001", "AF")  # of another collection
    (tmp_path / "A0014.hea").write_text("A0014 twelve leads\n")
    dataset = open_dataset("cpsc-2018", tmp_path)
    assert dataset.records == tuple(f"A{number:04d}" for number in range(1, 13))
    assert np.isnan(dataset.ages[0])
    assert dataset.ages[1] == 60
    assert set(dataset.sexes) == {"female"}
    assert dataset.rejected[0] == ("A0013", "A0013.mat is not there.")
    assert dataset.rejected[1][0] == "A0014"
    assert (dataset.train_folds, dataset.validation_folds, dataset.test_folds) == (
        (1, 2, 3, 4, 5, 6, 7, 8),
        (9,),
        (10,),
    )


def test_a_record_in_two_folders_is_refused(tmp_path: Path) -> None:
    for number in range(1, 13):
        write_header(tmp_path / "one", f"A{number:04d}", "AF")
    write_header(tmp_path / "two", "A0001", "AF")
    with pytest.raises(WrongRequest, match="record A0001 is listed twice"):
        open_dataset("cpsc-2018", tmp_path)


def test_the_original_layout(tmp_path: Path) -> None:
    rows = [f"A{number:04d},{(number - 1) % 9 + 1},," for number in range(1, 19)]
    rows[0] = "A0001,5,2,1"
    (tmp_path / "REFERENCE.csv").write_text(
        "Recording,First_label,Second_label,Third_label\n" + "\n".join([*rows, "A0019,1,,"]) + "\n"
    )
    for number in range(1, 19):
        (tmp_path / f"A{number:04d}.mat").touch()
    dataset = open_dataset("cpsc-2018", tmp_path)
    labels = dataset.task("all").labels
    assert {CLASSES[index] for index in np.flatnonzero(labels[0])} == {"RBBB", "AF", "SNR"}
    assert [CLASSES[int(np.flatnonzero(row)[0])] for row in labels[1:9]] == list(CLASSES[1:])
    assert dataset.rejected == (("A0019", "A0019.mat is not there."),)
    assert dataset.layout is None  # the files' own format says how they lie


def test_a_class_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "REFERENCE.csv").write_text("Recording,First_label,Second_label,Third_label\nA0001,10,,\n")
    (tmp_path / "A0001.mat").touch()
    with pytest.raises(
        WrongRequest, match=r'REFERENCE.csv row 2, column "First_label": "10" is not a class from 1 to 9'
    ):
        open_dataset("cpsc-2018", tmp_path)


def test_an_empty_folder_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="holds no CPSC-2018"):
        open_dataset("cpsc-2018", tmp_path)


@real
def test_the_real_headers_count_as_their_text_does() -> None:
    root = Path(str(DATA)) / "cpsc-2018"
    dataset = open_dataset("cpsc-2018", root)
    texts = [path.read_text() for path in root.rglob("*.hea")]
    said = Counter(word for text in texts for word in text.split("#Dx:")[1].split("\n")[0].strip().split(","))
    said["SNR"], said["IAVB"] = said.pop("Normal"), said.pop("I-AVB")
    task = dataset.task(None)
    assert dict(zip(task.classes, task.labels.sum(axis=0).astype(int).tolist(), strict=True)) == dict(said)
    assert len(dataset.records) == 100
    assert task.listed.all()
    assert np.bincount(dataset.folds)[1:].tolist() == [10] * 10
