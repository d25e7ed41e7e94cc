"""Collections the simulator writes."""

import json
from pathlib import Path

import pytest

from ecgenough.datasets import open_dataset
from ecgenough.errors import WrongRequest


def write_embolism(root: Path, fold: str = "10", embolism: str = "1") -> Path:
    (root / "records500").mkdir(parents=True)
    rows = ["record,path,patient,age,sex,embolism,fold", "1,records500/00001,p1,50,female,0,1"]
    rows += [f"2,records500/00002.hea,p2,61.5,male,{embolism},{fold}", "3,records500/00003,p2,,,0,10"]
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    for record in ("00001", "00002"):
        for ending in ("hea", "dat"):
            (root / f"records500/{record}.{ending}").touch()
    (root / "simulated.json").write_text(json.dumps({"kind": "embolism", "records": 3, "seed": 0}))
    return root


def write_superclasses(root: Path) -> Path:
    (root / "records500/00000").mkdir(parents=True)
    (root / "ptbxl_database.csv").write_text(
        "ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr\n"
        "1,1,56,1,{'NORM': 100.0},3,,records500/00000/00001_hr\n"
    )
    (root / "scp_statements.csv").write_text(
        ",description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass\n"
        "NORM,normal ECG,1.0,,,NORM,NORM\nIMI,inferior myocardial infarction,1.0,,,MI,IMI\n"
    )
    for ending in ("hea", "dat"):
        (root / f"records500/00000/00001_hr.{ending}").touch()
    (root / "simulated.json").write_text(json.dumps({"kind": "superclasses", "records": 1, "seed": 0}))
    return root


def test_embolism_is_one_binary_task(tmp_path: Path) -> None:
    dataset = open_dataset("simulated", write_embolism(tmp_path / "pe"))
    assert dataset.task(None).classes == ("embolism",)
    assert dataset.task(None).labels.tolist() == [[0], [1]]
    assert dataset.paths == ("records500/00001.hea", "records500/00002.hea")
    assert dataset.patients == ("embolism-3-0-p1", "embolism-3-0-p2")
    assert dataset.folds.tolist() == [1, 10]
    assert dataset.ages.tolist() == [50, 61.5]
    assert dataset.sexes == ("female", "male")
    assert dataset.rejected == (("3", "records500/00003.hea is not there."),)


def test_superclasses_are_read_as_ptb_xl_but_never_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_superclasses(tmp_path / "sim")
    for name in ("simulated", "ptb-xl"):
        dataset = open_dataset(name, root)
        assert dataset.name == "simulated"
        assert dataset.task(None).classes == ("NORM", "MI")
        assert set(dataset.tasks) == {"superdiagnostic", "all", "diagnostic", "subdiagnostic"}
        assert dataset.paths == ("records500/00000/00001_hr.hea",)
        said = "(simulated.json): these are simulated ECGs, not ptb-xl."
        assert (said in " ".join(capsys.readouterr().err.split())) == (name == "ptb-xl")


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ('{"kind": "embolismus"}', 'kind "embolismus". Nearest: "embolism".'),
        ("[]", 'must be JSON with a "kind"'),
        ("{", 'must be JSON with a "kind"'),
    ],
)
def test_another_kind_is_refused(tmp_path: Path, about: str, sentence: str) -> None:
    root = write_embolism(tmp_path / "pe")
    (root / "simulated.json").write_text(about)
    with pytest.raises(WrongRequest, match=sentence):
        open_dataset("simulated", root)


def test_a_folder_that_was_not_simulated_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r"simulated.json is not in .* make one: ecgenough simulate"):
        open_dataset("simulated", tmp_path)


def test_a_broken_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r"labels other than 0 and 1"):
        open_dataset("simulated", write_embolism(tmp_path / "pe", embolism="2"))
    with pytest.raises(WrongRequest, match=r'labels.csv row 3, column "fold"'):
        open_dataset("simulated", write_embolism(tmp_path / "two", fold="ten"))
