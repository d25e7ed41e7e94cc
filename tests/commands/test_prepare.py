"""`ecgenough prepare`: a second call only looks, and imports nothing that looking does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "lightning_fabric", "pandas", "wfdb", "requests", "pywt", "scipy.signal", "sklearn"}


@pytest.mark.parametrize("recipe", ["default", "paper-resnet18"])
def test_a_second_prepare_imports_nothing_heavy(simulated: Path, tmp_path: Path, recipe: str) -> None:
    """Their imports alone take longer than the two seconds a second call may."""
    command = ["prepare", "simulated", "--from", str(simulated / "embolism"), "--store", str(tmp_path)]
    command += ["--recipe", recipe, "--set", "signal.rate=100", "--workers", "1"]
    program = f"import sys; sys.argv[1:] = {command}; from ecgenough.cli import main\n"
    program += "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "160 records, 0 rejected" in done.stdout
    assert "ecgenough.signals.preparation" in done.stderr.split()
    assert not HEAVY & set(done.stderr.split())
