"""The names of the package: all there, each loaded when it is first used."""

import subprocess
import sys

import numpy as np
import pytest

import ecgenough
from ecgenough.notebook import Drawing

HEAVY = {"torch", "numpy", "pandas", "scipy", "sklearn", "pydantic", "yaml"}


def test_every_name_is_there() -> None:
    for name in ecgenough.__all__:
        assert getattr(ecgenough, name) is not None
        assert name in dir(ecgenough)
    with pytest.raises(AttributeError, match="no attribute 'ECGClasifier'"):
        _ = ecgenough.ECGClasifier  # type: ignore[attr-defined]


def test_importing_it_loads_nothing_heavy_and_takes_under_50_ms_of_work() -> None:
    code = "import sys, time; t = time.process_time(); import ecgenough; print(time.process_time() - t, *sys.modules)"
    answers = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
        for _ in range(3)
    ]
    assert min(float(answer[0]) for answer in answers) < 0.05
    assert not HEAVY & set(answers[0][1:])


def test_an_ecg_is_drawn_and_saved(tmp_path: object) -> None:
    ecg = ecgenough.Ecg(
        np.random.default_rng(0).normal(0, 0.1, (12, 1000)),
        100,
        ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"),
    )
    drawing = ecgenough.plot(ecg)
    assert isinstance(drawing, Drawing)
    assert drawing._repr_svg_().startswith("<svg")
    drawing.save(f"{tmp_path}/ecg.svg")
    with open(f"{tmp_path}/ecg.svg", encoding="utf-8") as file:
        assert file.read() == drawing
