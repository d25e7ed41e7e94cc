"""Each name that `import ecgenough` offers has an example in its docstring that runs."""

import doctest
from pathlib import Path

import pytest

import ecgenough
from ecgenough.errors import EcgenoughError

NAMES = ["read", "Ecg", "plot", "load_recipe", "Recipe", "open_store", "train", "load_model", "evaluate", "transfer"]
NAMES += ["Model", "ECGClassifier"]


def test_every_name_of_the_package_has_an_example_that_runs(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with two simulated collections, in the order in which one meets the names."""
    (tmp_path / "ecgs").symlink_to(simulated / "superclasses")
    (tmp_path / "embolism").symlink_to(simulated / "embolism")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECGENOUGH_STORE", str(tmp_path / "stores"))
    said: list[str] = []
    runner = doctest.DocTestRunner()
    for name in NAMES:
        about = getattr(ecgenough, name)
        (example,) = doctest.DocTestFinder(recurse=False).find(
            about, name, globs={"ecgenough": ecgenough, "Path": Path}
        )
        assert example.examples, f"{name} has no example"
        runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)
    others = {getattr(ecgenough, name) for name in set(ecgenough.__all__) - {*NAMES, "__version__"}}
    assert all(issubclass(other, EcgenoughError) for other in others)
