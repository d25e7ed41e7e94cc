"""What a fuzzer finds lies in the folder it was given, and nothing of it is committed."""

import importlib
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest
from benchmarks.fuzz import Tally
from benchmarks.guarded import Guard
from benchmarks.harnesses import Harness

ROOT = Path(__file__).parents[1]
LIBFUZZER = ("crash-", "leak-", "oom-", "slow-unit-", "timeout-")  # how it begins the names of what it leaves


class _LibFuzzer(ModuleType):
    """Takes the place of atheris: leaves one file where it was told to, and ends its process, as libFuzzer does."""

    instrument_imports = staticmethod(lambda **_: nullcontext())

    def Setup(self, arguments: list[str], _: object) -> None:  # noqa: N802
        self.prefix = dict(word.split("=", 1) for word in arguments if "=" in word).get("-artifact_prefix", "")

    def Fuzz(self) -> None:  # noqa: N802
        Path(f"{self.prefix}slow-unit-a3a2d8").write_bytes(b"[" * 9)
        os._exit(0)


def test_what_libfuzzer_leaves_lies_in_the_folder_of_the_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", _LibFuzzer("atheris"))
    monkeypatch.delitem(sys.modules, "benchmarks.fuzz_atheris", raising=False)
    by_atheris = importlib.import_module("benchmarks.fuzz_atheris").by_atheris
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    tally = Tally(Harness("recipe", (b"{}",), len, str), Path("out"), seed=0)
    by_atheris(tally, Guard(tmp_path), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert Path("out/artefacts-recipe/slow-unit-a3a2d8").read_bytes() == b"[" * 9


def test_nothing_that_libfuzzer_left_is_or_will_be_committed() -> None:
    if not shutil.which("git") or not (listed := _git("ls-files").splitlines()):
        pytest.skip("not a checkout")
    assert not [path for path in listed if path.rsplit("/", 1)[-1].startswith(LIBFUZZER)]
    assert _git("check-ignore", *(f"{name}0a1b" for name in LIBFUZZER)).split() == [f"{name}0a1b" for name in LIBFUZZER]


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout
