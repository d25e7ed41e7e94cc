"""Manifests: what people write, and what they get wrong."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgenough.datasets import open_dataset
from ecgenough.datasets.manifest import open_manifest
from ecgenough.errors import WrongRequest


def write(root: Path, text: str, files: Sequence[str] = (), name: str = "pe.csv") -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    (root / name).write_text(text)
    return root / name


def rows(count: int, *columns: str) -> str:
    """`count` lines of file names f0.txt on, each followed by the columns with # replaced by the row's number."""
    return "".join(",".join([f"f{row}.txt", *columns]).replace("#", str(row)) + "\n" for row in range(count))


FILES = [f"f{row}.txt" for row in range(30)]


def test_the_papers_list_of_names_and_labels_reads(tmp_path: Path) -> None:
    lines = "".join(f"f{row}.txt;{row % 3 == 0:d}\n" for row in range(30))
    dataset = open_dataset(str(write(tmp_path, "filename;label\n" + lines, FILES)), None)
    assert dataset.name == "pe"
    assert dataset.task(None).classes == ("label",)
    assert dataset.task(None).labels[:4, 0].tolist() == [1, 0, 0, 1]
    assert dataset.records == dataset.patients == dataset.paths == tuple(FILES)
    # Ten folds over 30 patients, 10 of them positive: three each, one of them positive.
    assert np.bincount(dataset.folds)[1:].tolist() == [3] * 10
    assert [dataset.task(None).labels[dataset.folds == fold].sum() for fold in range(1, 11)] == [1] * 10
    assert (dataset.validation_folds, dataset.test_folds) == ((9,), (10,))


def test_columns_are_known_in_any_case_and_the_rest_are_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Path,Record,Patient ID,Fold,Age,Sex,AF,LBBB,height\n"
    text += "a.hea,r1,7.0,1,50,F,1,0,170\nb.hea,r2,7.0,1,,male,0,1,180\n"
    text += "c.hea,r3,8.0,2,61,,0.0,1.0,1\nd,r4,9.0,3,3,m,True,false,\n"
    dataset = open_manifest(write(tmp_path, text, ["a.hea", "b.hea", "c.hea", "d.hea"]))
    assert dataset.records == ("r1", "r2", "r3", "r4")
    assert dataset.paths == ("a.hea", "b.hea", "c.hea", "d.hea")
    assert dataset.patients == ("7", "7", "8", "9")
    assert (dataset.train_folds, dataset.validation_folds, dataset.test_folds) == ((1,), (2,), (3,))
    assert dataset.sexes == ("female", "male", "", "male")
    np.testing.assert_array_equal(dataset.ages, [50, np.nan, 61, 3])
    assert dataset.task(None).classes == ("AF", "LBBB")
    assert dataset.task(None).labels.tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
    assert "not used: height" in capsys.readouterr().err


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write(tmp_path, "", FILES)
    frame = pd.DataFrame({"file": FILES, "patient": np.arange(30) // 2, "embolism": np.arange(30) % 2 == 0})
    frame.to_parquet(tmp_path / "pe.parquet")
    dataset = open_manifest(tmp_path / "pe.parquet")
    assert dataset.task(None).classes == ("embolism",)
    assert dataset.task(None).labels.sum() == 15
    assert len(set(dataset.patients)) == 15


@pytest.mark.parametrize(
    ("words", "positive"),
    [(("normal", "abnormal"), "abnormal"), (("yes", "no"), "yes"), (("control", "case"), "case"), (("x", "y"), "y")],
)
def test_two_words_make_one_class_and_a_line_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str], positive: str
) -> None:
    lines = "".join(f"f{row}.txt,{words[row % 2]}\n" for row in range(30))
    dataset = open_manifest(write(tmp_path, "file,diagnosis\n" + lines, FILES))
    assert dataset.task(None).classes == (positive,)
    assert dataset.task(None).labels[:, 0].tolist() == [float(words[row % 2] == positive) for row in range(30)]
    assert f'the positive class is "{positive}"' in capsys.readouterr().err


def test_a_positive_word_for_columns_of_0_and_1_is_refused_by_the_file(tmp_path: Path) -> None:
    lines = "".join(f"f{row}.txt,{row % 2}\n" for row in range(30))
    path = write(tmp_path, "file,af\n" + lines, FILES)
    path.with_suffix(".yaml").write_text('labels: [af]\npositive: "yes"\n')
    with pytest.raises(WrongRequest, match=rf'^{path.name}: positive "yes" is for a label column of two words'):
        open_manifest(path)


def test_more_words_make_a_class_each(tmp_path: Path) -> None:
    lines = "".join(f"f{row}.txt,{('AF', 'SNR', 'LBBB')[row % 3]}\n" for row in range(30))
    task = open_manifest(write(tmp_path, "file,class\n" + lines, FILES)).task(None)
    assert task.classes == ("AF", "LBBB", "SNR")
    assert task.labels[:3].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_a_sidecar_states_layout_labels_task_and_positive(tmp_path: Path) -> None:
    path = write(tmp_path, "file,dx,other\n" + "".join(f"f{row}.txt,{'ab'[row % 2]},1\n" for row in range(30)), FILES)
    write(
        tmp_path,
        "labels: [dx]\ntask: quality\npositive: a\nlayout:\n  rate: 500\n  unit: 200/mV\n  leads: [I, II]\n"
        "  orientation: samples-by-leads\n  skip_columns: 1\n",
        name="pe.yaml",
    )
    dataset = open_manifest(path)
    assert dataset.default_task == "quality"
    assert dataset.task("quality").classes == ("a",)
    assert dataset.layout is not None
    assert (dataset.layout.rate, dataset.layout.unit, dataset.layout.skip_columns) == (500, "200/mV", 1)
    own = replace(dataset.layout, rate=250.0)
    assert open_manifest(path, layout=own).layout == own


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lables: [a]", 'pe.yaml key "lables" is unknown. Nearest: "labels".'),
        ("layout: {rate: 500}", 'pe.yaml key "layout.unit" is missing'),
        (
            "layout: {rate: 500, unit: mV, leads: [I], orientation: samples-by-leads, skip_colums: 1}",
            'pe.yaml key "layout.skip_colums" is unknown. Nearest: "layout.skip_columns".',
        ),
        (
            "layout: {rate: -1, unit: mV, leads: [I], orientation: samples-by-leads}",
            'key "layout.rate" is -1; it must be above 0.',
        ),
        (
            "layout: {rate: 500, unit: mm, leads: [I], orientation: samples-by-leads}",
            'pe.yaml key "layout": unit "mm" is not a voltage',
        ),
        ("[a, b]", "must be a YAML mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_wrong_sidecar_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path, "file,label\n" + rows(30, "1"), FILES)
    write(tmp_path, text, name="pe.yaml")
    with pytest.raises(WrongRequest, match=sentence):
        open_manifest(path)


def test_two_sidecars_are_one_too_many(tmp_path: Path) -> None:
    path = write(tmp_path, "file,label\n" + rows(30, "1"), FILES)
    write(tmp_path, "task: a", name="pe.yaml")
    write(tmp_path, "task: b", name="pe.csv.yaml")
    with pytest.raises(WrongRequest, match=r"both pe\.yaml and pe\.csv\.yaml are beside pe\.csv"):
        open_manifest(path)


# --- folds -----------------------------------------------------------------------------------------------------------


def test_train_and_test_words_keep_the_test_and_take_validation_from_training(tmp_path: Path) -> None:
    lines = "".join(f"f{row}.txt,p{row // 2},{row % 4 == 0:d},{'Train' if row < 20 else 'test'}\n" for row in range(30))
    dataset = open_manifest(write(tmp_path, "file,patient,pe,split\n" + lines, FILES))
    assert (dataset.folds[20:] == 10).all()
    assert set(dataset.folds[:20].tolist()) == set(range(1, 10))
    assert (dataset.train_folds, dataset.validation_folds, dataset.test_folds) == (
        (1, 2, 3, 4, 5, 6, 7, 8),
        (9,),
        (10,),
    )
    assert all(dataset.folds[row] == dataset.folds[row + 1] for row in range(0, 30, 2))


def test_three_words_are_three_folds(tmp_path: Path) -> None:
    text = "file,pe,fold\nf0.txt,1,train\nf1.txt,0,val\nf2.txt,1,test\nf3.txt,0,training\n"
    dataset = open_manifest(write(tmp_path, text, FILES))
    assert dataset.folds.tolist() == [1, 2, 3, 1]
    assert (dataset.train_folds, dataset.validation_folds, dataset.test_folds) == ((1,), (2,), (3,))


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            "f0.txt,7,1,1\nf1.txt,7,0,2\nf2.txt,8,0,3\n",
            "patient 7 has records in folds 1 and 2; folds must keep a patient",
        ),
        ("f0.txt,7,1,train\nf1.txt,7,0,test\nf2.txt,8,0,val\n", "patient 7 has records in folds train and test;"),
        ("f0.txt,7,1,1\nf1.txt,8,0,2\n", "fewer than three folds"),
        (
            "f0.txt,7,1,train\nf1.txt,8,0,holdout\n",
            'row 3, column "fold": "holdout" is none of train, validation and test',
        ),
        ("f0.txt,7,1,1\nf1.txt,8,0,\nf2.txt,9,0,3\n", 'row 3, column "fold"'),
        ("f0.txt,7,1,train\nf1.txt,8,0,test\n", "1 training patients are too few"),
    ],
)
def test_wrong_folds_are_refused(tmp_path: Path, lines: str, sentence: str) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        open_manifest(write(tmp_path, "file,patient,pe,fold\n" + lines, FILES))


def test_too_few_patients_to_deal_get_a_sentence(tmp_path: Path) -> None:
    text = "file,patient,pe\n" + "".join(f"f{row}.txt,{row % 7},{row % 2}\n" for row in range(28))
    with pytest.raises(WrongRequest, match=r"pe.csv has 7 patients, too few to deal into 10 folds. Add a column fold"):
        open_manifest(write(tmp_path, text, FILES))


# --- paths -----------------------------------------------------------------------------------------------------------


def test_files_that_are_not_there_are_left_out_by_name(tmp_path: Path) -> None:
    dataset = open_manifest(write(tmp_path, "file,pe\n" + rows(30, "1"), FILES[:-2]))
    assert dataset.rejected == (("f28.txt", "f28.txt is not there."), ("f29.txt", "f29.txt is not there."))
    assert len(dataset.records) == 28
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(WrongRequest, match=r"pe.csv lists 30 files, none of them in .*/elsewhere; the first is f0.txt"):
        open_manifest(tmp_path / "pe.csv", tmp_path / "elsewhere")


def test_another_root_and_paths_into_it(tmp_path: Path) -> None:
    root = tmp_path / "signals"
    write(tmp_path, "", [f"signals/deep/{file}" for file in FILES])
    lines = [f"deep/{file},1\n" for file in FILES]
    lines[0] = f"{root}/deep/f0.txt,1\n"
    lines[1] = "deep/../deep/f1.txt,1\n"
    lines[2] = "deep\\f2.txt,1\n"
    dataset = open_manifest(write(tmp_path, "file,pe\n" + "".join(lines)), root)
    assert dataset.paths == tuple(f"deep/{file}" for file in FILES)
    assert dataset.root == root


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "a/../../secret.txt"])
def test_a_path_outside_the_root_is_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.txt").touch()
    with pytest.raises(WrongRequest, match=r'pe.csv row 2, column "file": .* lies outside'):
        open_manifest(write(root, f"file,pe\n{path},1\n"))


# --- what people get wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,pe\nf0.txt,1\nf1.txt,2\nf2.txt,0\n", 'pe.csv row 3, column "pe": "2" is not a label; labels are 0 or 1'),
        ("file,pe\nf0.txt,1\nf1.txt,\nf2.txt,0\n", 'pe.csv row 3, column "pe": an empty cell is not a label'),
        (
            "file,label\nf0.txt,3\nf1.txt,4\n",
            'pe.csv row 2, column "label": "3" is not a label; labels are 0 or 1, in every row; of more than two classes in '
            "one column, write the names.",
        ),
        ("file,class\nf0.txt,AF\nf1.txt,\n", 'pe.csv row 3, column "class": an empty cell is not a label'),
        ("file,class\nf0.txt,a\nf1.txt,b\nf2.txt,c\n", "3 different words in 3 rows"),
        (
            "file,class\nf0.txt,a\nf1.txt,a\n",
            'pe.csv column "class" says "a" in every row, and one class leaves nothing',
        ),
        ("signal,pe\nf0.txt,1\n", "no column that says where the files are. .* its columns: signal, pe."),
        ("file,pe\nf0.txt,1\n./f0.txt,1\n", 'pe.csv row 3, column "file": "./f0.txt" is listed twice, first in row 2'),
        ("file,pe,age\nf0.txt,1,old\n", 'pe.csv row 2, column "age": "old" is not an age'),
        ("file,pe,sex\nf0.txt,1,yes\n", 'pe.csv row 2, column "sex": "yes" is neither female nor male'),
        ("file,pe\n,1\n", 'pe.csv row 2, column "file": the path is empty'),
        ("file,pe\n", "pe.csv is empty"),
    ],
)
def test_one_sentence_says_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        open_manifest(write(tmp_path, text, FILES))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,pe\nf0.txt,1\nf1.txt,0\n", 'positive "AF" is for a label column of two words'),
        ("file,class\nf0.txt,a\nf1.txt,b\n", 'positive "AF" is not in column "class", which has a and b'),
        (
            "file,class\n" + "".join(f"f{row}.txt,{'abc'[row % 3]}\n" for row in range(6)),
            'positive "AF" is for two words',
        ),
    ],
)
def test_a_positive_class_that_fits_no_column_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    manifest = write(tmp_path, text, FILES)
    manifest.with_suffix(".yaml").write_text("positive: AF\n")
    with pytest.raises(WrongRequest, match=sentence):
        open_manifest(manifest)


def test_a_record_listed_twice_is_refused(tmp_path: Path) -> None:
    text = "file,record,pe,fold\nf0.txt,a,1,train\nf1.txt,a,0,train\nf2.txt,b,1,val\n"
    with pytest.raises(WrongRequest, match=r"record a is listed twice; records must differ."):
        open_manifest(write(tmp_path, text, FILES))


def test_label_columns_are_told_with_how_to_choose_and_are_tasks_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "file,embolism,smoker\n" + "".join(f"f{row}.txt,{row % 2},{row % 3 == 0:d}\n" for row in range(30))
    dataset = open_manifest(write(tmp_path, text, FILES))
    said = " ".join(capsys.readouterr().err.split())
    assert "pe.csv: labels are in embolism, smoker." in said
    assert 'For one alone, say --task embolism; for some, write "labels: [embolism, ...]" into pe.yaml' in said
    assert "smoker may say who was recorded rather than what the ECG shows" in said
    assert (list(dataset.tasks), dataset.default_task) == (["labels", "embolism", "smoker"], "labels")
    assert dataset.task(None).classes == ("embolism", "smoker")
    assert dataset.task("smoker").classes == ("smoker",)
    assert dataset.task("smoker").labels[:, 0].tolist() == [float(row % 3 == 0) for row in range(30)]
    write(tmp_path, "labels: [embolism]\n", name="pe.yaml")
    chosen = open_manifest(tmp_path / "pe.csv")
    assert {name: task.classes for name, task in chosen.tasks.items()} == dict.fromkeys(
        ("labels", "embolism"), ("embolism",)
    )
    assert "smoker" not in capsys.readouterr().err


def test_columns_of_yes_and_no_are_labels_named_by_their_heading(tmp_path: Path) -> None:
    text = "file,RBBB,AF,sure\n" + "".join(
        f"f{row}.txt,{('Yes', 'no')[row % 2]},{('no', 'yes')[row % 3 == 0]},{('yes', 'no', '?')[row % 3]}\n"
        for row in range(30)
    )
    dataset = open_manifest(write(tmp_path, text, FILES))
    assert dataset.task(None).classes == ("RBBB", "AF")
    assert dataset.task("RBBB").labels[:, 0].tolist() == [float(row % 2 == 0) for row in range(30)]
    assert dataset.task("AF").labels[:, 0].tolist() == [float(row % 3 == 0) for row in range(30)]


def test_an_age_may_have_a_decimal_comma(tmp_path: Path) -> None:
    rows = "".join(f"f{row}.txt;{row % 2};{40 + row},5\n" for row in range(30))
    dataset = open_manifest(write(tmp_path, "file;pe;age\n" + rows, FILES))
    assert dataset.ages[:2].tolist() == [40.5, 41.5]


def test_two_other_words_are_no_labels_and_it_is_said_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "file,RBBB,device\n" + "".join(f"f{row}.txt,{('ja', 'nein')[row % 2]},d{row % 3}\n" for row in range(30))
    assert not open_manifest(write(tmp_path, text, FILES)).tasks
    assert "For RBBB (ja, nein), write 0 and 1." in " ".join(capsys.readouterr().err.split())


def test_a_manifest_without_labels_has_no_task_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "path,patient,height\n" + "".join(f"f{row}.txt,{row // 2},17{row % 10}\n" for row in range(30))
    dataset = open_manifest(write(tmp_path, text, FILES))
    assert (dict(dataset.tasks), dataset.default_task) == ({}, "")
    assert "pe.csv has no label column: none holds 0 and 1 only" in " ".join(capsys.readouterr().err.split())
    assert len({(patient, fold) for patient, fold in zip(dataset.patients, dataset.folds, strict=True)}) == 15
    # 15 whole patients of two records in ten folds: five folds with two of them.
    assert sorted(np.bincount(dataset.folds)[1:].tolist()) == [2] * 5 + [4] * 5
    for name in (None, "embolism"):
        with pytest.raises(
            WrongRequest, match=r"pe has no labels to train on or to test with\. Add a column of 0 and 1"
        ):
            dataset.task(name)


def test_named_labels_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r'pe.csv has no column "embolsm". Nearest: "embolism".'):
        open_manifest(write(tmp_path, "file,embolism\n" + rows(30, "1"), FILES), labels=["embolsm"])


def test_codes_for_sex_are_not_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = open_manifest(write(tmp_path, "file,sex,pe\n" + rows(30, "1", "0"), FILES))
    assert set(dataset.sexes) == {""}
    assert "sexes stay unknown" in capsys.readouterr().err


def test_neither_a_name_nor_a_file(tmp_path: Path) -> None:
    with pytest.raises(
        WrongRequest, match=r"is a folder; name the data set, and the folder with --from: one of ptb-xl"
    ):
        open_dataset(str(tmp_path), None)
    with pytest.raises(WrongRequest, match=r'"ptbxl" is neither a known dataset nor a manifest .* Nearest: "ptb-xl".'):
        open_dataset("ptbxl", tmp_path)
    with pytest.raises(WrongRequest, match=r"say where ptb-xl lies: --from DIR"):
        open_dataset("ptb-xl", None)
    with pytest.raises(WrongRequest, match=r"is not a folder"):
        open_dataset("ptb-xl", tmp_path / "absent")
