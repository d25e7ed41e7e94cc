"""What a report says of how a run came to its answers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from ecgenough.reports import methods
from ecgenough.reports.reading import read_run, read_runs


def test_a_baseline_says_what_it_is_and_what_it_was_shown(baseline_folder: Path) -> None:
    baseline = read_run(baseline_folder)
    assert methods.mode_sentence(baseline).startswith("no network: boosted trees on rhythm, intervals")
    assert dict(methods.method_sentences(baseline))["Signal"] == "2 leads, 250 Hz, 8 s, no filter"


def test_a_baseline_of_another_version_need_not_be_known(baseline_folder: Path) -> None:
    path = baseline_folder / "baseline.json"
    path.write_text(path.read_text().replace('"intervals"', '"horoscope"'))
    assert methods.mode_sentence(read_run(baseline_folder)) == "no network: fitted to the training records"


def test_modes_say_how_many_weights_learned(three_folders: Sequence[Path]) -> None:
    scratch, frozen, full = (methods.mode_sentence(run) for run in read_runs(three_folders))
    assert scratch.startswith("from scratch")
    assert "513 of 3,848,001 parameters" in frozen
    assert "all 3,848,001 parameters" in full


def test_records_kept_from_training_are_counted(made_run: Callable[..., Path]) -> None:
    folder = made_run(records=300)
    assert "Kept from training" not in dict(methods.method_sentences(read_run(folder)))
    data = json.loads((folder / "data.json").read_text())
    data["left_out"] = {"task": "right-heart-strain", "records": 1214, "patients": 900}
    data["repeated"] = {"records": 5, "left_out": 1, "first": ["00001", "00009"]}
    (folder / "data.json").write_text(json.dumps(data))
    assert dict(methods.method_sentences(read_run(folder)))["Kept from training"] == (
        "1,214 records of 900 patients of right-heart-strain and 1 copy of a waveform that chooses or tests"
    )
