"""MedalCare-XL: class, split and heart model are folders."""

from pathlib import Path

import numpy as np
import pytest

from ecgenough.datasets import open_dataset
from ecgenough.datasets.medalcare import open_medalcare
from ecgenough.errors import WrongRequest

SIGNALS = Path("MedalCare-XL/WP2_largeDataset_Noise")


def write_tree(root: Path, *stems: str, variants: tuple[str, ...] = ("raw", "noise", "filtered")) -> Path:
    for stem in stems:
        path = root / SIGNALS / stem
        path.parent.mkdir(parents=True, exist_ok=True)
        for variant in variants:
            path.with_name(f"{path.name}_{variant}.csv").touch()
    return root


def test_folders_say_what_a_record_is(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        "sinus/train/run_S65/000014",
        "mi/LAD_0.3/train/run_S65/000014",
        "mi/LCX_1.0_ant/validation/run_S70/000002",
        "rbbb/test/run_S62/000001",
        "mi/examples/S62_LAD_0.3",
    )
    (tmp_path / SIGNALS / "sinus/train/run_S65/siginfo.csv").touch()
    (tmp_path / "__MACOSX/sinus/train/run_S65").mkdir(parents=True)
    (tmp_path / "__MACOSX/sinus/train/run_S65/._000014_filtered.csv").touch()
    dataset = open_dataset("medalcare-xl", tmp_path)
    task = dataset.task(None)
    assert task.classes == ("avblock", "fam", "iab", "lae", "lbbb", "mi", "rbbb", "sinus")
    below = SIGNALS.as_posix()
    assert dict(zip(dataset.paths, (task.classes[index] for index in task.labels.argmax(axis=1)), strict=True)) == {
        f"{below}/mi/LAD_0.3/train/run_S65/000014_filtered.csv": "mi",
        f"{below}/mi/LCX_1.0_ant/validation/run_S70/000002_filtered.csv": "mi",
        f"{below}/rbbb/test/run_S62/000001_filtered.csv": "rbbb",
        f"{below}/sinus/train/run_S65/000014_filtered.csv": "sinus",
    }
    assert (task.labels.sum(axis=1) == 1).all()
    assert dataset.patients == ("S65", "S70", "S62", "S65")
    assert dataset.folds.tolist() == [1, 2, 3, 1]
    assert (dataset.train_folds, dataset.validation_folds, dataset.test_folds) == ((1,), (2,), (3,))
    assert np.isnan(dataset.ages).all()


def test_the_layout_reads_lines_as_leads_in_mv(tmp_path: Path) -> None:
    layout = open_dataset("medalcare-xl", write_tree(tmp_path, "sinus/test/run_S62/000001")).layout
    assert layout is not None
    assert (layout.rate, layout.unit, layout.orientation) == (500, "mV", "leads-by-samples")
    assert layout.leads == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def test_a_heart_on_two_sides_is_two_patients_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(tmp_path, "fam/train/run_S64/000001", "lbbb/test/run_S64/000001", "sinus/train/run_S65/000001")
    dataset = open_dataset("medalcare-xl", tmp_path)
    assert dataset.patients == ("S64 (train)", "S64 (test)", "S65")
    assert "heart model S64" in capsys.readouterr().err


def test_variants_and_what_is_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, "sinus/train/run_S65/000001")
    write_tree(tmp_path, "sinus/train/run_S65/000002", variants=("raw",))
    assert open_medalcare(tmp_path, "raw").paths[1].endswith("000002_raw.csv")
    rejected = open_medalcare(tmp_path, "noise").rejected
    record = f"{SIGNALS.as_posix()}/sinus/train/run_S65/000002"
    assert rejected == ((record, "its noise variant is not there."),)


def test_an_empty_folder_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="holds no filtered ECGs of MedalCare-XL"):
        open_dataset("medalcare-xl", tmp_path)
