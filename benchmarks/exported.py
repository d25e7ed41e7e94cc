"""What an exported model costs: milliseconds an ECG on one core beside PyTorch, megabytes, and the AUC of 8 bits.

Each ECG goes alone, ready-conditioned, through the whole graph; PyTorch runs the same graph. The first three ECGs are not
counted. AUC is over the chosen folds of a store, its interval a bootstrap over patients, with the difference of int8 and
float32 on the same resamples.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.__main__ import machine
from benchmarks.ending import end_with_a_sentence
from ecgenough.files import write_text
from ecgenough.model import Model, weights_digest
from ecgenough.scoring.metrics import auc
from ecgenough.serving.export import export_onnx
from ecgenough.serving.graph import RawEcgNetwork
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.serving.quantisation import quantise
from ecgenough.signals.store import MICROVOLTS, Store

Floats = NDArray[np.float64]
RESAMPLES = 500
PAGE = """# Exported models

- Command: `{command}`
- Machine: {machine}; torch {torch}, onnxruntime {onnxruntime}; {date}
- Load before: {load:.1f} on {cores} cores; above the number of cores times are too long, and only their ratios count
- Records: {records:,} of {store}, folds {folds}, of {patients:,} patients; one at a time on one core
- MB: the file of the weights, for PyTorch model.safetensors

| model | as | MB | median ms an ECG | 95th percentile | largest difference of a probability | macro AUC | int8 - float32 (95%) |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


def main() -> None:
    asked = _arguments()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    store = Store.open(asked.store)
    rows = np.flatnonzero(np.isin(store.folds, asked.folds))[: asked.records]
    lines = [line for folder in asked.models for line in compare(folder, asked.task, store, rows)]
    page = PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks.exported", *sys.argv[1:]]),
        machine=machine("cpu"), load=load, cores=os.cpu_count(),
        torch=version("torch"), onnxruntime=version("onnxruntime"), date=date.today(),
        records=len(rows), store=store.name, folds=", ".join(map(str, asked.folds)),
        patients=len({store.patients[row] for row in rows}), rows="\n".join(lines),
    )  # fmt: skip
    print(page)
    write_text(asked.out / "exported.md", page)


def compare(name_or_folder: str, task: str | None, store: Store, rows: NDArray[np.int64]) -> list[str]:
    """The lines of one model, or of its answer to one of its tasks: PyTorch, ONNX and ONNX in 8 bits."""
    model = Model.load(name_or_folder)
    model = model.for_task(task) if task else model
    labels = store.task(model.task).labels[rows] > 0.5
    listed = labels.any(axis=1)
    ecgs, valid = store.signals[rows], store.valid[rows]
    graph = RawEcgNetwork(model).eval()
    with TemporaryDirectory(prefix="ecgenough-exported-") as name:
        whole, small = Path(name) / "whole.onnx", Path(name) / "int8.onnx"
        exported = export_onnx(model, whole, weights_digest(name_or_folder))
        quantise(exported, whole, small)
        ways: dict[str, tuple[Callable[[NDArray[np.float32]], NDArray[np.float32]], float]] = {
            "PyTorch": (lambda ecg: graph(torch.from_numpy(ecg))[0].numpy(), Path(model.name).stat().st_size / 1e6),
            "ONNX float32": (_one_thread(whole), whole.stat().st_size / 1e6),
            "ONNX int8": (_one_thread(small), small.stat().st_size / 1e6),
        }
    said: dict[str, Floats] = {}
    lines = []
    for way, (answer, megabytes) in ways.items():
        probabilities, seconds = _timed(answer, ecgs, valid)
        said[way] = probabilities
        apart = np.abs(probabilities - said["PyTorch"]).max()
        cost = "" if way != "ONNX int8" else _cost(labels[listed], said, _patients(store, rows)[listed], listed)
        lines.append(
            f"| {Path(name_or_folder).name}, {model.task} | {way} | {megabytes:.1f} | {np.median(seconds) * 1e3:.1f} | "
            f"{np.percentile(seconds, 95) * 1e3:.1f} | {apart:.1g} | {_macro(labels[listed], probabilities[listed]):.4f} "
            f"| {cost} |"
        )
    return lines


def _one_thread(path: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    model = OnnxModel.load(path, threads=1)
    return lambda ecg: model.run(ecg)[0]


@torch.inference_mode()
def _timed(
    answer: Callable[[NDArray[np.float32]], NDArray[np.float32]], ecgs: NDArray[np.int16], valid: NDArray[np.int32]
) -> tuple[Floats, Floats]:
    said, seconds = [], []
    for counts, length in zip(ecgs, valid, strict=True):
        ecg = (counts[None, :, :length] / np.float32(MICROVOLTS)).astype(np.float32)
        started = time.perf_counter()
        said.append(answer(ecg)[0])
        seconds.append(time.perf_counter() - started)
    return np.array(said, dtype=np.float64), np.array(seconds[3:])


def _cost(
    labels: NDArray[np.bool_], said: dict[str, Floats], patients: NDArray[np.int64], listed: NDArray[np.bool_]
) -> str:
    """The difference of macro AUC and its 95% interval over resampled patients."""
    small, whole = said["ONNX int8"][listed], said["ONNX float32"][listed]
    random = np.random.default_rng(0)
    rows_of = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    differences = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([rows_of[place] for place in random.integers(len(rows_of), size=len(rows_of))])
        differences.append(_macro(labels[drawn], small[drawn]) - _macro(labels[drawn], whole[drawn]))
    low, high = np.nanpercentile(differences, [2.5, 97.5])
    return f"{_macro(labels, small) - _macro(labels, whole):+.4f} ({low:+.4f} to {high:+.4f})"


def _patients(store: Store, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique([store.patients[row] for row in rows], return_inverse=True)[1]


def _macro(labels: NDArray[np.bool_], probabilities: Floats) -> float:
    """The mean AUC of the classes that have both outcomes."""
    return float(np.nanmean(auc(labels, probabilities)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exported", description=__doc__)
    parser.add_argument("models", nargs="+", help="shipped models, or folders of models or runs")
    parser.add_argument("--task", help="the task of each to be answered, where they know several")
    parser.add_argument("--store", type=Path, required=True, help="a prepared store with their task")
    parser.add_argument("--folds", type=int, nargs="+", default=[9], help="folds to score (9)")
    parser.add_argument("--records", type=int, default=1000, help="how many records at most (1000)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="the table's folder")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)
