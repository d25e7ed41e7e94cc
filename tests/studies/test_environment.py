"""The state of the code: a commit, a commit with changes, or none where the package is no part of a checkout."""

import subprocess
from pathlib import Path

import pytest

from ecgenough.studies.environment import git_state


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "code" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("one = 1\n")
    _git(tmp_path, "init", "-q", "code")
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "one")
    return folder


def _state(package: Path) -> str | None:
    git_state.cache_clear()
    return git_state(package)


def test_a_clean_checkout_is_its_commit(package: Path) -> None:
    assert _state(package) == _git(package, "rev-parse", "HEAD")


def test_changes_and_new_files_of_the_package_show_and_others_do_not(package: Path) -> None:
    commit = _git(package, "rev-parse", "HEAD")
    (package.parent / "notes.txt").write_text("beside the package")
    assert _state(package) == commit
    (package / "new.py").write_text("two = 2\n")
    added = _state(package)
    (package / "new.py").write_text("two = 3\n")
    rewritten = _state(package)
    (package / "__init__.py").write_text("one = 3\n")
    changed = _state(package)
    assert len({added, rewritten, changed}) == 3
    assert all(str(state).startswith(f"{commit}, changed ") for state in (added, rewritten, changed))


def test_a_package_installed_inside_somebody_s_checkout_has_none(package: Path, tmp_path: Path) -> None:
    installed = package.parent / "venv" / "ecgenough"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert _state(installed) is None
    assert _state(tmp_path) is None
