"""The benchmark runs whole at its smallest size, and its table holds a row for each comparison."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_small_run_writes_its_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--records", "40", "--repeats", "1", "--out", str(tmp_path)]
    smallest = ["--set", "network.options.width=4"]
    done = subprocess.run(
        [*command, *smallest], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    page = (tmp_path / "cpu.md").read_text(encoding="utf-8")
    assert all(f"- {fact}: " in page for fact in ("Command", "Data", "Machine", "Date"))
    rows = [line.split(" | ") for line in page.splitlines() if re.search(r"\| (naive / ours|ours / bare) \|", line)]
    assert re.search(r"threads: [1-9][\d,]* ECGs of 10 s at 500 Hz a second, [1-9][\d,]* a second of", page)
    once = 1 if (os.cpu_count() or 1) == 1 else 0
    assert len(rows) == 11 - once
    for what, _, ours, other, meaning, ratio, pairs in rows:
        middle, least, most = (float(number.replace(",", "")) for number in re.findall(r"[\d.,]+", ratio))
        assert 0 < least <= middle <= most, what
        if pairs == "1 |":  # of one pair the ratio is that of the times shown, but for their rounding
            shown = float(other.split()[0]) / float(ours.split()[0])
            assert abs(middle / shown - 1) < 0.02, (what, meaning)
