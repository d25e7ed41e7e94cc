from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgenough.reports import tables, words
from ecgenough.reports.reading import read_run, read_runs
from ecgenough.reports.run import Estimate, Run
from ecgenough.scoring.comparison import Difference


def with_auc(run: Run, value: float, low: float, high: float, name: str = "") -> Run:
    macro = {**run.metrics.macro, "auc": Estimate(value, low, high)}
    return replace(run, name=name or run.name, metrics=replace(run.metrics, macro=macro))


def test_ranges_are_joined() -> None:
    assert words.ranges([3, 1, 2, 7, 9, 10]) == "1–3, 7, 9–10"


def test_the_question_names_a_single_class_in_full_and_many_by_number(
    made_run: Callable[..., Path], run_folder: Path
) -> None:
    one = read_run(
        made_run("one", classes=("PE",), titles=("pulmonary embolism",), shares=(0.3,), skill=(1.0,), records=80)
    )
    assert words.question([one]) == "Can a network read pulmonary embolism from the ECG alone?"
    five = read_run(run_folder)
    assert words.question([five]) == "Can a network read NORM, MI, STTC, CD and HYP from the ECG alone?"
    assert words.question([one, five]) == "What can a network read from the ECG alone?"


def test_the_answer_gives_the_interval_the_patients_and_the_extremes(run_folder: Path) -> None:
    run = with_auc(read_run(run_folder), 0.9, 0.88, 0.92)
    answer = words.answer(run).replace(words.WORD_JOINER, "")
    assert answer.startswith(
        "On 600 test ECGs of 540 patients, resnet18 reaches a macro AUC of 0.900 (95% interval 0.880–0.920)"
    )
    ranked = sorted(run.metrics.classes, key=lambda name: run.metrics.classes[name].figures["auc"].value or 0)
    assert f"It reads {ranked[-1]} best" in answer
    assert f"and {ranked[0]} least well" in answer


def test_an_interval_around_a_half_is_called_guessing(run_folder: Path) -> None:
    assert "not to be told from guessing" in words.answer(with_auc(read_run(run_folder), 0.55, 0.48, 0.62))


def test_the_comparison_says_which_is_best_which_overlap_and_which_do_not(run_folder: Path) -> None:
    run = read_run(run_folder)
    runs = [
        with_auc(run, 0.9, 0.88, 0.92, "a"),
        with_auc(run, 0.87, 0.85, 0.89, "b"),
        with_auc(run, 0.7, 0.6, 0.8, "c"),
    ]
    said = words.comparison(runs, {})
    assert "“a” has the highest macro AUC, 0.900" in said
    assert "The interval of “b” overlaps with its own." in said
    assert "The interval of “c” lies wholly below its own." in said
    paired = words.comparison(runs, {"b": Difference(0.03, -0.01, 0.07, 0.2), "c": Difference(0.2, 0.1, 0.3, 0.002)})
    assert paired.endswith("its lead over “c” is more than chance, that over “b” could be.")


@pytest.mark.parametrize(
    ("positives", "of", "said"),
    [
        (1, "patient", "only 1 positive test patient"),
        (40, "patient", "only 4 positive test patients"),
        (570, "patient", "only 3 negative test patients"),
        (4, "ECG", "only 4 positive test ECGs"),
        (597, "ECG", "only 3 negative test ECGs"),
    ],
)
def test_which_is_better_is_not_asked_of_a_handful_of_positives(
    run_folder: Path, positives: int, of: str, said: str
) -> None:
    """A bootstrap of one positive draws the same one each time: p was 0.003 for 12 test ECGs. Patients have ten each here."""
    run = read_run(run_folder)
    few = {name: replace(scores, positives=positives) for name, scores in run.metrics.classes.items()}
    run = replace(run, metrics=replace(run.metrics, classes=few))
    assert run.predictions is not None
    labels = np.repeat(np.arange(600)[:, None] < positives, len(few), axis=1)
    known = replace(run.predictions, labels=labels, patients=tuple(str(row // 10) for row in range(600)))
    run = replace(run, predictions=known if of == "patient" else None)
    runs = [with_auc(run, 0.9, 0.88, 0.92, "a"), with_auc(run, 0.1, 0.0, 0.98, "b")]
    assert words.comparison(runs, {}).endswith(
        f"With {said} of any class, which is better is not asked: it would be up to each one."
    )
    assert tables.differences(runs) == {}


def test_runs_that_tie_exactly_are_both_called_highest(run_folder: Path) -> None:
    run = read_run(run_folder)
    a, b, c = (
        with_auc(run, value, value - 0.02, value + 0.02, name) for value, name in ((0.9, "a"), (0.9, "b"), (0.7, "c"))
    )
    leads = {"b": Difference(0.0, -0.01, 0.01, 1.0), "c": Difference(0.2, 0.1, 0.3, 0.002)}
    said = words.comparison([c, b, a], leads).replace(words.WORD_JOINER, "")
    assert said == (
        "On 600 test ECGs of 540 patients, “b” and “a” have exactly the same macro AUC, the highest: 0.900 (95% interval "
        "0.880–0.920). The interval of “c” lies wholly below theirs. Paired over the same records, their lead over “c” is "
        "more than chance."
    )
    alone = words.comparison([a, b], {"b": Difference(0.0, -0.01, 0.01, 1.0)})
    assert alone.endswith("“a” and “b” have exactly the same macro AUC: 0.900 (95% interval 0.880\u2060–\u20600.920).")
    apart = words.comparison([a, replace(b, metrics=replace(b.metrics, macro={"auc": Estimate(0.9, 0.5, 1.0)}))], {})
    assert "“b” 0.900 (95% interval 0.500" in apart


def test_classes_that_tie_are_named_together(run_folder: Path) -> None:
    run = with_auc(read_run(run_folder), 0.9, 0.88, 0.92)

    def answer(*aucs: float) -> str:
        known = zip(run.metrics.classes.items(), aucs, strict=True)
        classes = {name: replace(scores, figures={"auc": Estimate(auc)}) for (name, scores), auc in known}
        return words.answer(replace(run, metrics=replace(run.metrics, classes=classes)))

    assert answer(1, 1, 0.9, 0.8, 0.8).endswith("It reads NORM and MI best (1.000) and CD and HYP least well (0.800).")
    assert answer(1, 1, 1, 1, 1).endswith("It reads all classes alike (1.000).")


def test_intervals_that_touch_overlap() -> None:
    assert Estimate(0.5, 0.4, 0.6).overlaps(Estimate(0.65, 0.6, 0.7))
    assert not Estimate(0.5, 0.4, 0.6).overlaps(Estimate(0.7, 0.61, 0.8))
    assert not Estimate(0.5, 0.4, 0.6).overlaps(Estimate(0.5))


def test_it_is_said_which_part_is_shown_and_what_chose(made_run: Callable[..., Path]) -> None:
    tested = " ".join(words.honesty([read_run(made_run("tested", records=60))]))
    assert "test figures (fold 10)" in tested
    assert "chosen on the validation records" in tested
    chosen = " ".join(words.honesty([read_run(made_run("chosen", records=60, part="validation"))]))
    assert "validation figures (fold 9)" in chosen
    assert "flatter" in chosen


def test_a_baseline_has_no_epoch_to_choose(three_folders: Sequence[Path], baseline_folder: Path) -> None:
    network, baseline = read_runs([three_folders[0], baseline_folder])
    alone = " ".join(words.honesty([baseline]))
    assert "The calibration and the thresholds were chosen on the validation records" in alone
    assert "epoch" not in alone
    shared, of_network, of_baseline = words.honesty([network, baseline])
    assert shared == "These are test figures (fold 10): no choice was made on these records."
    assert of_network.startswith("“scratch”: The epoch that was kept, the calibration and the thresholds were chosen")
    assert of_baseline.startswith("“sober”: The calibration and the thresholds were chosen")
    flattered = " ".join(words.honesty([replace(baseline, shown="validation")]))
    assert "chose the calibration and the thresholds, so the figures flatter the baseline." in flattered


def test_a_baseline_is_asked_and_answers_as_one(three_folders: Sequence[Path], baseline_folder: Path) -> None:
    network, baseline = read_runs([three_folders[0], baseline_folder])
    assert words.question([baseline]) == "How well can acute pulmonary embolism be told without a network?"
    assert words.question([baseline, network]).startswith("Can a network read acute pulmonary embolism")
    assert "of 216 patients, the baseline “intervals” reaches an AUC" in words.answer(baseline)


def test_runs_that_cannot_be_compared_say_why(made_run: Callable[..., Path]) -> None:
    usual = made_run("usual", records=60)
    for name, changes, why in (
        ("elsewhere", {"dataset": "cpsc-2018"}, "different data sets"),
        ("other", {"task": "form"}, "different tasks"),
        ("early", {"part": "validation"}, "test and validation"),
        ("more", {"records": 80}, "different records"),
    ):
        said = words.comparable(read_runs([usual, made_run(name, **{"records": 60, **changes})]))
        assert said is not None
        assert why in said
    assert words.comparable(read_runs([usual, made_run("again", records=60, seed=4)])) is None


def test_cautions_name_few_positives_absent_classes_and_simulation(made_run: Callable[..., Path]) -> None:
    run = read_run(made_run(dataset="simulated", shares=(0.5, 0.4, 0.4, 0.08, 0.0), records=150))
    said = words.cautions([run])
    assert run.predictions is not None
    positives = run.metrics.classes["CD"].positives
    assert 1 < positives < words.FEW_POSITIVES
    assert any("simulated" in sentence for sentence in said)
    assert any(sentence.startswith("HYP has no positive or no negative") for sentence in said)
    assert any(sentence.endswith(f"for CD ({positives}).") for sentence in said)  # of one ECG each
    whose = tuple("one" if has else "another" for has in run.predictions.labels[:, 3])
    one_patient = words.cautions([replace(run, predictions=replace(run.predictions, patients=whose))])
    assert any("few positive test patients" in sentence and sentence.endswith("CD (1).") for sentence in one_patient)
    untold = words.cautions([replace(run, predictions=None)])
    assert any("few positive test ECGs" in sentence and f"CD ({positives})" in sentence for sentence in untold)


def test_a_caution_that_is_true_of_some_runs_names_them(made_run: Callable[..., Path]) -> None:
    plain = read_run(made_run("plain", records=300))
    simulated = read_run(made_run("made", records=300, dataset="simulated"))
    assert not any(sentence.startswith("“") for sentence in words.cautions([simulated, simulated]))
    assert any(sentence.startswith("“made”: The ECGs are simulated") for sentence in words.cautions([plain, simulated]))


def test_records_that_trained_the_network_are_not_called_a_test(made_run: Callable[..., Path]) -> None:
    run = read_run(made_run("tested", records=60))
    leaked = replace(run, metrics=replace(run.metrics, seen=50, folds=(1, 2, 3)))
    said = " ".join(words.honesty([leaked]))
    assert (
        f"These are no test figures (folds 1–3): 50 of the {run.metrics.records} records, or others of their patients,"
        in said
    )
    assert "no choice was made on these records" not in said


def test_classes_that_few_validation_records_decided_are_named(made_run: Callable[..., Path]) -> None:
    run = read_run(made_run(records=300))
    assert not any("rest on" in sentence for sentence in words.cautions([run]))
    counts = {name: {"train": 40, "validation": 40, "test": 40} for name in run.data.classes}
    counts |= {
        "MI": {**counts["MI"], "validation": 4},
        "CD": {**counts["CD"], "validation": 1},
        "STTC": {"validation": 299},
    }
    counts["HYP"]["validation"] = 5
    few = replace(run, data=run.data.model_copy(update={"positives": counts}))
    assert (
        "The threshold and calibration of MI (4 positive ECGs), STTC (1 negative ECG) and CD (1 positive ECG) rest on that "
        "few in validation, and so mostly on chance."
    ) in words.cautions([few])
    patients = {**dict.fromkeys(run.data.classes, (40, 40)), "NORM": (4, 90), "HYP": (5, 90)}
    known = replace(few, data=few.data.model_copy(update={"validation_patients": patients}))
    assert (
        "The threshold and calibration of NORM (4 positive patients) rest on that few in validation, and so mostly on chance."
    ) in words.cautions([known])
    undecided = replace(few, data=few.data.model_copy(update={"untuned": ("MI", "STTC", "CD")}))
    assert not any("rest on" in sentence for sentence in words.cautions([undecided]))


def test_classes_that_validation_could_not_decide_are_named(made_run: Callable[..., Path]) -> None:
    run = read_run(made_run(records=300))
    assert not any("unchosen" in sentence for sentence in words.cautions([run]))
    untuned = replace(run, data=run.data.model_copy(update={"untuned": ("MI", "HYP")}))
    assert any(sentence.startswith("MI and HYP had no positive") for sentence in words.cautions([untuned]))
