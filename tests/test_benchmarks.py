"""The benchmark runs whole at its smallest size, and its table holds a row for each comparison."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import wfdb
from benchmarks import gpu, growth, hardware, reading
from benchmarks.pairs import Comparison

from ecgenough import formats, networks
from ecgenough.datasets import open_dataset
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import EcgenoughError
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store

ROOT = Path(__file__).parents[1]


def test_a_small_run_writes_its_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--records", "40", "--repeats", "1", "--out", str(tmp_path)]
    smallest = ["--set", "network.options.width=4", "--networks", "eegnet"]
    done = subprocess.run(
        [*command, *smallest], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    page = (tmp_path / "cpu.md").read_text(encoding="utf-8")
    assert all(f"- {fact}: " in page for fact in ("Command", "Data", "Machine", "Date"))
    rows = [line.split(" | ") for line in page.splitlines() if re.search(r"\| (naive / ours|ours / bare) \|", line)]
    assert re.search(r"threads: [1-9][\d,]* ECGs of 10 s at 500 Hz a second, [1-9][\d,]* a second of", page)
    once = 1 if (os.cpu_count() or 1) == 1 else 0
    assert len(rows) == 13 - once
    assert [row[0] for row in rows if not row[7]] == [rows[-1][0]]  # scoring alone has no bound of the hardware
    for what, _, ours, other, meaning, ratio, pairs, bound, reached in rows:
        middle, least, most = (float(number.replace(",", "")) for number in re.findall(r"[\d.,]+", ratio))
        assert 0 < least <= middle <= most, what
        if bound:
            assert all(float(share) > 0 for share in re.findall(r"[\d.]+", reached)), what
        if pairs == "1":  # of one pair the ratio is that of the times shown, but for their rounding
            shown = float(other.split()[0]) / float(ours.split()[0])
            assert abs(middle / shown - 1) < 0.02, (what, meaning)


def test_a_bound_counts_what_is_done_and_the_rate_it_is_held_against() -> None:
    one = Comparison("x", "1", ((2.0, 8.0), (4.0, 8.0)), False, "arithmetic", (0.5, 2.0))
    assert (
        one.row()
        == "| x | 1 | 3 s | 8 s | naive / ours | 3.00 (2.00 to 4.00) | 2 | arithmetic, 1.25 s | 0.38 (0.25 to 0.5) |"
    )
    cpu = torch.device("cpu")
    assert (
        hardware.arithmetic(3 * 8 * 1024**3, cpu).times == 3
    )  # four products of 1024 x 1024 take 8 x 1024^3 operations
    assert hardware.moving(2**28, cpu).times == 2  # 64 MiB read and 64 MiB written


def test_bytes_of_files_are_read_and_written(tmp_path: Path) -> None:
    hardware.filing(1000, 300, tmp_path).work()
    assert [(tmp_path / name).stat().st_size for name in ("bound.in", "bound.out")] == [1000, 300]


def test_every_record_is_compared_with_what_the_wfdb_package_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, signal = tmp_path / "some", np.sin(np.arange(2400).reshape(12, 200)).astype(np.float32)
    (folder / "deeper").mkdir(parents=True)
    for name in ("a", "b"):
        write_wfdb(folder, name, Ecg(signal, 100.0, STANDARD_LEADS), ["Age: 60"])
    twice = {"units": ["mV"] * 12, "sig_name": list(STANDARD_LEADS), "fmt": ["212"] * 12, "adc_gain": [500.0] * 12}
    wfdb.wrsamp("c", 100, p_signal=signal.T.astype(float), baseline=[0] * 12, write_dir=str(folder / "deeper"), **twice)
    write_wfdb(folder, "d", Ecg(signal, 100.0, STANDARD_LEADS))
    (folder / "d.dat").unlink()
    monkeypatch.setattr(sys, "argv", ["reading", "--data", str(folder), "--out", str(tmp_path)])
    reading.main()
    assert "| some | 4 | 2 | 1 | 1 | 0 | 0 | 0 |" in (tmp_path / "reading.md").read_text(encoding="utf-8")
    once = reading._ours
    monkeypatch.setattr(reading, "_ours", lambda path: replace(once(path), signal=once(path).signal + 1e-3))
    with pytest.raises(EcgenoughError, match=r"^3 records are read otherwise"):
        reading.main()
    assert "some/a.hea differs: 2,400 voltages" in capsys.readouterr().out


def test_a_small_run_of_coverage_writes_its_shares(tmp_path: Path) -> None:
    out = tmp_path / "coverage.md"
    _run("benchmarks.coverage", "--studies", "3", "--kinds", "2 seeds, 3 classes", "--jobs", "1", "--out", str(out))
    page = out.read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith(("| 5 folds", "| learned"))]
    assert [row.split(" | ")[0] for row in rows] == [
        "| 5 folds, 2 seeds, 3 classes",
        "| learned, 5 folds, 1 seed, few patients",
    ]
    shares = re.findall(r"(?<= )[\d.]+%(?= \|)", rows[0])[-3:]
    assert set(shares) <= {"0.0%", "33.3%", "66.7%", "100.0%"}  # of three studies
    assert "Of these 3 shares, " in page


def test_exported_models_and_explanations_get_their_tables(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    store = stores["superclasses"]
    task = store.task(store.default_task)
    network = networks.build("resnet18", leads=12, classes=len(task.classes), width=4)
    model = Model(
        network.eval(), tiny, store.default_task, task.classes, task.titles, (0.0,) * len(task.classes),
        Normaliser("z-score"), Calibration.none(len(task.classes)),
    )  # fmt: skip
    model.save(tmp_path / "model")
    out = ["--out", str(tmp_path)]
    _run("benchmarks.exported", str(tmp_path / "model"), "--store", str(store.path), "--records", "20", *out)
    lines = (tmp_path / "exported.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| model, ")]
    assert [row[2] for row in rows] == ["PyTorch", "ONNX float32", "ONNX int8"]
    assert float(rows[1][6]) < 1e-4
    assert all(float(row[4]) <= float(row[5]) for row in rows)
    _run("benchmarks.explanations", "--model", str(tmp_path / "model"), "--records", "1", *out)
    page = (tmp_path / "explanations.md").read_text(encoding="utf-8")
    assert page.count("| 1 of 1 |") == 24  # eight findings by three methods; at a threshold of 0 all are called


def test_a_line_that_cannot_be_measured_says_why_and_ends_no_other() -> None:
    def epoch(name: str) -> gpu.Line:
        raise torch.OutOfMemoryError(f"CUDA out of memory | {name}\nTried to allocate")

    row = gpu.measured(partial(epoch, "vgg19")).row()
    assert row == "| epoch vgg19 | not measured: CUDA out of memory / vgg19 |  |  |  | no |"


def test_every_line_asked_of_a_gpu_is_rehearsed_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = "--records 24 --repeats 1 --epochs 1 --seeds 1 --workers 0 --networks resnet18"
    changes = ("network.options.width=4", "training.batch=8", "crop.seconds=1.28")
    words = [*small.split(), *(word for change in changes for word in ("--set", change)), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["benchmarks.gpu", "--device", "cpu", *words])
    gpu.main()
    page = (tmp_path / "gpu-rehearsal.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.endswith((" | yes |", " | no |"))]
    assert "A rehearsal on a CPU" in page
    assert [row[4].split(",")[0] for row in rows] == [
        "at least 30 times",
        "at most 0.45 s",
        "at most 15 s",
        "losses within 1e-2",
        "at least 0.9 of the rate",
        "within 0.002",
    ]
    assert "losses differ by 0.0e+00" in rows[3][0]  # on a CPU both ways are the same


def test_time_that_grows_evenly_is_said_to(tmp_path: Path) -> None:
    rows = [
        growth.Measured(count, 100, 0.1, (1 + count / 500, 0.2), (3 + count / 1000, 0.5)) for count in (100, 300, 900)
    ]
    assert "takes 2.00 to 2.00 ms of `prepare` and 1.00 to\n1.00 ms of `train`" in growth.linear(rows)
    assert rows[0].row() == "| 100 | 100 Hz | 0.10 GB | 1.2 s | 0.20 GB | 3.1 s | 0.50 GB |"
    manifest = growth.write_records(tmp_path / "records", 70, 100)
    dataset = open_dataset(str(manifest), manifest.parent)
    signals = [formats.read(dataset.root / path).signal.tobytes() for path in dataset.paths]
    assert len(set(signals)) == 70  # all differ, though 64 are simulated


def test_memory_is_that_of_a_process_and_all_it_has_started() -> None:
    if not Path("/proc/self/smaps_rollup").is_file():
        pytest.skip("memory is measured from Linux's /proc")
    child = subprocess.Popen([sys.executable, "-c", "held = bytearray([1]) * 10**8; print(1, flush=True); input()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdout is not None
    child.stdout.readline()
    assert child.pid in growth.family(os.getpid())
    assert 1e8 < growth.memory(child.pid) < 1.5e8
    child.communicate(b"\n")
    assert growth.memory(child.pid) == 0


def _run(module: str, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
