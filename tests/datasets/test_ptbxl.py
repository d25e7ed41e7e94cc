"""PTB-XL: tasks as the benchmark defines them, counted independently with pandas on the real tables."""

import ast
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgenough.datasets import Dataset, open_dataset
from ecgenough.errors import WrongRequest

DATA = os.environ.get("ECGENOUGH_DATA")
real = pytest.mark.skipif(DATA is None, reason="needs ECGENOUGH_DATA")

STATEMENTS = """\
,description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass
NDT,non-diagnostic T abnormalities,1.0,1.0,,STTC,STTC
DIG,digitalis-effect,1.0,1.0,,STTC,STTC
NORM,normal ECG,1.0,,,NORM,NORM
RVH,right ventricular hypertrophy,1.0,,,HYP,RVH
RAO/RAE,right atrial overload/enlargement,1.0,,,HYP,RAO/RAE
ABQRS,abnormal QRS,,1.0,,,
SR,sinus rhythm,,,1.0,,
"""
ROWS = """\
1,15709.0,56.0,1,"{'NORM': 100.0, 'SR': 0.0}",3
2,13243.0,300.0,0,"{'NDT': 50.0, 'DIG': 80.0}",9
3,13243.0,,0,"{'ABQRS': 0.0, 'SR': 0.0}",9
4,20000.0,40.0,1,"{'RVH': 15.0, 'NDT': 0.0}",1
5,20001.0,41.0,1,{},2
6,20000.0,40.0,1,"{'NORM': 35}",1
"""


def write_ptbxl(root: Path, rows: str = ROWS, folders: tuple[str, ...] = ("records100", "records500")) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    lines = ["ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"]
    for row in rows.splitlines():
        number = int(row.split(",")[0])
        stem = f"00000/{number:05d}"
        lines.append(f"{row},records100/{stem}_lr,records500/{stem}_hr")
        for folder, suffix in (("records100", "lr"), ("records500", "hr")):
            if folder in folders:
                (root / folder / "00000").mkdir(parents=True, exist_ok=True)
                for ending in ("hea", "dat"):
                    (root / folder / f"{stem}_{suffix}.{ending}").touch()
    (root / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    (root / "scp_statements.csv").write_text(STATEMENTS)
    return root


def test_records_without_a_patient_are_patients_of_their_own(tmp_path: Path) -> None:
    nameless = ROWS.replace("15709.0", "").replace("20001.0", "")
    dataset = open_dataset("ptb-xl", write_ptbxl(tmp_path, nameless))
    assert dataset.patients == ("record 1", "13243", "13243", "20000", "record 5", "20000")


def test_tables_become_records_people_and_folds(tmp_path: Path) -> None:
    dataset = open_dataset("ptb-xl", write_ptbxl(tmp_path))
    assert dataset.name == "ptb-xl"
    assert dataset.records == ("1", "2", "3", "4", "5", "6")
    assert dataset.patients == ("15709", "13243", "13243", "20000", "20001", "20000")
    assert dataset.paths[0] == "records100/00000/00001_lr.hea"
    assert dataset.folds.tolist() == [3, 9, 9, 1, 2, 1]
    assert dataset.sexes == ("female", "male", "male", "female", "female", "female")
    np.testing.assert_array_equal(dataset.ages, [56, 90, np.nan, 40, 41, 40])
    assert (dataset.train_folds, dataset.validation_folds, dataset.test_folds) == (
        (1, 2, 3, 4, 5, 6, 7, 8),
        (9,),
        (10,),
    )


def test_a_statement_counts_whatever_its_likelihood(tmp_path: Path) -> None:
    dataset = open_dataset("ptb-xl", write_ptbxl(tmp_path))
    superclasses = dataset.task("superdiagnostic")
    assert superclasses.classes == ("NORM", "STTC", "HYP")
    assert superclasses.titles == ("normal ECG", "ST-T change", "hypertrophy")
    assert superclasses.labels.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert superclasses.listed.tolist() == [True, True, False, True, False, True]
    form = dataset.task("form")
    assert form.classes == ("NDT", "DIG", "ABQRS")
    assert form.listed.tolist() == [False, True, True, True, False, False]
    assert dataset.task("rhythm").listed.tolist() == [True, False, True, False, False, False]
    assert dataset.task("all").listed.tolist() == [True, True, True, True, False, True]


def test_likelihoods_are_shares_and_0_means_not_given(tmp_path: Path) -> None:
    dataset = open_dataset("ptb-xl", write_ptbxl(tmp_path))
    soft = dataset.task("superdiagnostic").likelihoods
    assert soft is not None
    # STTC of record 2: the likelier of NDT 50 and DIG 80; of record 4: NDT 0, not given. HYP of record 4: RVH 15.
    expected = [[1, 0, 0], [0, 0.8, 0], [0, 0, 0], [0, 1, 0.15], [0, 0, 0], [0.35, 0, 0]]
    np.testing.assert_allclose(soft, np.array(expected), rtol=1e-6)
    rhythm = dataset.task("rhythm").likelihoods
    assert rhythm is not None
    assert rhythm[:, 0].tolist() == [1, 0, 1, 0, 0, 0]


def test_right_heart_strain_takes_one_record_of_other_patients(tmp_path: Path) -> None:
    task = open_dataset("ptb-xl", write_ptbxl(tmp_path)).task("right-heart-strain")
    assert task.classes == ("right-heart-strain",)
    assert task.labels[:, 0].tolist() == [0, 0, 0, 1, 0, 0]
    # Record 4 is the positive; record 6 is of its patient; of records 2 and 3, one patient's, one is drawn.
    assert task.listed[[0, 3, 4, 5]].tolist() == [True, True, True, False]
    assert task.listed[[1, 2]].sum() == 1


def test_the_wanted_rate_chooses_the_folder(tmp_path: Path) -> None:
    both = write_ptbxl(tmp_path / "both")
    fine = write_ptbxl(tmp_path / "fine", folders=("records500",))
    coarse = write_ptbxl(tmp_path / "coarse", folders=("records100",))
    for root, rate, folder in (
        (both, None, "records100"),
        (both, 100, "records100"),
        (both, 250, "records500"),
        (both, 500, "records500"),
        (fine, None, "records500"),
        (fine, 100, "records500"),
        (coarse, 50, "records100"),
    ):
        assert open_dataset("ptb-xl", root, rate=rate).paths[0].startswith(folder)
    with pytest.raises(WrongRequest, match="records100 only, and 500 Hz was asked for"):
        open_dataset("ptb-xl", coarse, rate=500)


def test_absent_tables_and_signals_get_a_sentence(tmp_path: Path) -> None:
    root = write_ptbxl(tmp_path / "ptb")
    (root / "records100/00000/00002_lr.dat").unlink()
    dataset = open_dataset("ptb-xl", root)
    assert dataset.rejected == (("2", "records100/00000/00002_lr.dat is not there."),)
    assert dataset.records == ("1", "3", "4", "5", "6")
    for folder in ("records100", "records500"):
        shutil.rmtree(root / folder)
    with pytest.raises(WrongRequest, match=f"neither records100 nor records500 is in {root}"):
        open_dataset("ptb-xl", root)
    (root / "ptbxl_database.csv").unlink()
    with pytest.raises(WrongRequest) as caught:
        open_dataset("ptb-xl", root)
    assert str(caught.value) == (
        f"ptbxl_database.csv is not in {root}. Give the folder that holds it with --from, or fetch it: "
        f"ecgenough fetch ptb-xl {root}"
    )


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("1,1.0,50,1,\"{'NORM': 100.0\",1", 'row 2, column "scp_codes"'),
        ("1,1.0,50,1,\"{'XYZ': 100.0}\",1", 'statement "XYZ" is not in scp_statements.csv'),
        ("1,1.0,50,2,\"{'NORM': 100.0}\",1", 'column "sex": "2" is neither 0'),
        ("1,1.0,50,1,\"{'NORM': 100.0}\",", 'column "strat_fold"'),
    ],
)
def test_a_row_that_cannot_be_understood_is_named(tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        open_dataset("ptb-xl", write_ptbxl(tmp_path, row))


# --- the real collection ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_ptbxl() -> Dataset:
    return open_dataset("ptb-xl", Path(str(DATA)) / "ptb-xl")


def counted(column: str | None, flag: str) -> tuple[pd.Series, int]:
    """Positives a class, and records with any class, straight from the published tables."""
    root = Path(str(DATA)) / "ptb-xl"
    statements = pd.read_csv(root / "scp_statements.csv", index_col=0)
    chosen = statements if flag == "all" else statements[statements[flag] == 1]
    group = chosen.index.to_series() if column is None else chosen[column]
    codes = pd.read_csv(root / "ptbxl_database.csv", usecols=["ecg_id", "scp_codes"])
    pairs = codes.assign(code=codes.scp_codes.map(lambda text: list(ast.literal_eval(text)))).explode("code")
    pairs = pairs.assign(group=pairs.code.map(group)).dropna(subset="group").drop_duplicates(["ecg_id", "group"])
    return pairs.group.value_counts(), pairs.ecg_id.nunique()


@real
@pytest.mark.parametrize(
    ("task", "flag", "column", "classes"),
    [
        ("all", "all", None, 71),
        ("diagnostic", "diagnostic", None, 44),
        ("subdiagnostic", "diagnostic", "diagnostic_subclass", 23),
        ("superdiagnostic", "diagnostic", "diagnostic_class", 5),
        ("form", "form", None, 19),
        ("rhythm", "rhythm", None, 12),
    ],
)
def test_counts_agree_with_pandas(real_ptbxl: Dataset, task: str, flag: str, column: str | None, classes: int) -> None:
    positives, records = counted(column, flag)
    made = real_ptbxl.task(task)
    assert len(made.classes) == classes
    assert int(made.listed.sum()) == records
    assert dict(zip(made.classes, made.labels.sum(axis=0).astype(int).tolist(), strict=True)) == {
        name: int(positives.get(name, 0)) for name in made.classes
    }
    assert set(positives.index) <= set(made.classes)


@real
def test_the_whole_collection_opens_quickly_and_whole(real_ptbxl: Dataset) -> None:
    began = time.process_time()
    open_dataset("ptb-xl", Path(str(DATA)) / "ptb-xl")
    assert time.process_time() - began < 3
    assert len(real_ptbxl.records) == 19_601
    assert not real_ptbxl.rejected
    assert real_ptbxl.task(None).classes == ("NORM", "MI", "STTC", "CD", "HYP")


@real
def test_women_are_shorter_than_men_so_sex_is_read_the_right_way_round(real_ptbxl: Dataset) -> None:
    heights = pd.read_csv(Path(str(DATA)) / "ptb-xl/ptbxl_database.csv").height.to_numpy()
    sexes = np.array(real_ptbxl.sexes)
    assert np.nanmean(heights[sexes == "female"]) + 8 < np.nanmean(heights[sexes == "male"])


@real
def test_right_heart_strain_has_927_records(real_ptbxl: Dataset) -> None:
    task = real_ptbxl.task("right-heart-strain")
    frame = pd.read_csv(Path(str(DATA)) / "ptb-xl/ptbxl_database.csv")
    truth = frame.scp_codes.str.contains("'RVH'|'RAO/RAE'").to_numpy()
    assert int(task.listed.sum()) == 927
    np.testing.assert_array_equal(task.labels[:, 0] == 1, truth)
    assert task.listed[truth].all()
    negatives = np.array(real_ptbxl.patients)[task.listed & ~truth]
    assert len(set(negatives)) == len(negatives)
    assert not set(negatives) & set(np.array(real_ptbxl.patients)[truth])
    other = open_dataset("ptb-xl", Path(str(DATA)) / "ptb-xl", seed=1).task("right-heart-strain")
    assert (other.listed != task.listed).any()


@real
def test_500_hz_files_are_used_where_they_alone_are_there() -> None:
    dataset = open_dataset("ptb-xl", Path(str(DATA)) / "ptb-xl-500hz", rate=100)
    assert len(dataset.records) == 422
    assert dataset.paths[0] == "records500/00000/00001_hr.hea"
