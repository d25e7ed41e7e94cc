from pathlib import Path

import pandas as pd
import pytest
from tests.made_study import MadeArm, MadeStudy, baseline, make_studies, make_study, network

from ecgenough.errors import EcgenoughError
from ecgenough.studies.questions import Arm, Question, ask
from ecgenough.studies.results import Cell, read_results

SOBER = baseline("prevalence", None)


def asked(folder: Path, *arms: MadeArm, **changes: object) -> Question:
    made = MadeStudy((*arms, SOBER), patients=80, folds=2, **changes)  # type: ignore[arg-type]
    (question,) = ask(read_results(make_study(folder / "study", made)))
    return question


def test_arms_have_a_unit_a_seed_and_repeat_of_all_folds(tmp_path: Path) -> None:
    question = asked(tmp_path, network("resnet18", "scratch", 1.0), repeats=2, seeds=(4, 7))
    assert [arm.name for arm in question.arms] == ["resnet18 scratch", "prevalence"]
    assert list(question.arm("resnet18 scratch").units) == [(4, 0), (4, 1), (7, 0), (7, 1)]
    assert list(question.arm("prevalence").units) == [(4, 0), (4, 1)]
    assert (question.repeats, question.folds) == (2, 2)
    records = [record for answers in question.test_answers for record in answers.records.tolist()]
    assert sorted(records) == [f"own.csv/{number:04d}" for number in range(80)]
    assert len(question.patients) == 80


def test_a_unit_with_a_failed_fold_is_left_out_and_an_arm_of_none_too(tmp_path: Path) -> None:
    one = network("resnet18", "scratch", 1.0, failed=((0, 1),))
    other = network("crnn_gru", "scratch", 1.0, failed=((0, 1), (1, 2)))
    question = asked(tmp_path, one, other)
    assert list(question.arm("resnet18 scratch").units) == [(1, 0)]
    assert [arm.name for arm in question.incomplete] == ["crnn_gru scratch"]


def test_arms_are_compared_at_all_records_and_sizes_rise(tmp_path: Path) -> None:
    question = asked(tmp_path, network("resnet18", "scratch", 1.0, sizes=(None, 20, 10)))
    assert [arm.size for arm in question.sized["resnet18 scratch"]] == [10, 20, None]
    assert {arm.size for arm in question.arms} == {None}
    assert [arm.train_records for arm in question.sized["resnet18 scratch"]] == [
        10,
        20,
        31.5,
    ]  # 39 or 41 of 80 tested, a fifth of the others chosen on


def test_records_that_an_arm_lacks_are_left_out_of_all(tmp_path: Path) -> None:
    made = MadeStudy((network("resnet18", "scratch", 1.0), SOBER), patients=80, folds=2, seeds=(0,))
    results = read_results(make_study(tmp_path / "study", made))
    path = results.folder / "cells" / results.cells[0].cell / "predictions.csv"
    table = pd.read_csv(path).sample(frac=1, random_state=0)  # in another order, too
    table.iloc[3:].to_csv(path, index=False)
    (question,) = ask(results)
    assert question.left_out == 3
    records = [[answers.records.tolist() for _, answers in arm.units[0, 0].values()] for arm in question.arms]
    assert records[0] == records[1]
    assert sum(map(len, records[0])) == 77


def test_labels_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    made = MadeStudy((network("resnet18", "scratch", 1.0), SOBER), patients=80, folds=2, seeds=(0,))
    results = read_results(make_study(tmp_path / "study", made))
    path = results.folder / "cells" / results.cells[0].cell / "predictions.csv"
    table = pd.read_csv(path)
    table.loc[2, "y_PE"] = 1 - table.loc[2, "y_PE"]
    table.to_csv(path, index=False)
    with pytest.raises(EcgenoughError, match=f"different labels for record {table['record'][2]}"):
        ask(results)


def test_each_target_and_task_is_a_question_of_its_own(tmp_path: Path) -> None:
    several = [MadeStudy((SOBER,), patients=40, folds=2, target=name) for name in ("a.csv", "b.csv")]
    questions = ask(read_results(make_studies(tmp_path / "study", several)))
    assert [question.target for question in questions] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("name", "mode", "body", "way"),
    [
        ("resnet18 scratch", "scratch", "resnet18", "scratch"),
        ("resnet18 lp-ft", "lp-ft", "resnet18", "lp-ft"),
        ("resnet18 full from ptb", "full", "resnet18", "full from ptb"),
        ("resnet18 crop.seconds=2.5 full", "full", "resnet18 crop.seconds=2.5", "full"),
        ("crnn", "full", "crnn", "full"),
        ("intervals", "", "intervals", ""),
    ],
)
def test_an_arm_is_a_body_trained_in_a_way(name: str, mode: str, body: str, way: str) -> None:
    cell = Cell("0", "network", name, "t", "k", "", "", mode, "", 0, 0, 1, None, "done", "", *(None,) * 6)
    arm = Arm((cell,), {})
    assert (arm.body, arm.way) == (body, way)
