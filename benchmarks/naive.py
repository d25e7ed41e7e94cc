"""The other way: what one writes with wfdb, SciPy, a PyTorch Dataset and scikit-learn on a first afternoon."""

from collections.abc import Iterator, Sequence
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import wfdb
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt
from sklearn import metrics
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

Floats = NDArray[np.float32]
Loader = DataLoader[tuple[Tensor, Tensor]]
WORKERS = 2


def read(path: str) -> Floats:
    """A record in mV, float32 [leads, samples]."""
    return np.asarray(wfdb.rdrecord(path).p_signal.T, dtype=np.float32)


def band_passed(path: str) -> Floats:
    """A record after a zero-phase Butterworth band-pass of 1 to 45 Hz, lead by lead, at 100 Hz."""
    numerator, denominator = butter(2, [1, 45], "bandpass", fs=100)
    return np.stack([filtfilt(numerator, denominator, lead) for lead in read(path)]).astype(np.float32)


def prepare(paths: Sequence[str], out: Path, processes: int) -> Floats:
    """Every record conditioned, written to one NPY file of float32 [records, leads, samples]."""
    if processes == 1:
        signals = np.stack([band_passed(path) for path in paths])
    else:
        with Pool(processes) as pool:
            signals = np.stack(pool.map(band_passed, paths, chunksize=16))
    np.save(out, signals)
    return signals


class Records(Dataset[tuple[Tensor, Tensor]]):
    """One record at a time: read, crop, z-score per lead and, in training, augment.

    `preloaded` reads all of them once and keeps them in memory.
    """

    def __init__(self, paths: Sequence[str], labels: Floats, length: int, train: bool, preloaded: bool) -> None:
        self.paths, self.labels, self.length, self.train = paths, labels, length, train
        self.signals = [read(path) for path in paths] if preloaded else None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        signal = read(self.paths[index]) if self.signals is None else self.signals[index]
        spare = signal.shape[1] - self.length
        start = np.random.randint(spare + 1) if self.train else spare // 2
        ecg = signal[:, start : start + self.length]
        if self.train:
            ecg = augmented(ecg)
        ecg = (ecg - ecg.mean(axis=1, keepdims=True)) / (ecg.std(axis=1, keepdims=True) + 1e-8)
        return torch.from_numpy(ecg.astype(np.float32)), torch.from_numpy(self.labels[index])


def augmented(ecg: Floats) -> Floats:
    """Rolled in time, each lead scaled by up to a tenth, one lead in twenty silenced: the recipe of comparisons.py."""
    ecg = np.roll(ecg, np.random.randint(ecg.shape[1]), axis=1)
    ecg = ecg * np.random.uniform(0.9, 1.1, (len(ecg), 1))
    return np.asarray(ecg * (np.random.rand(len(ecg), 1) >= 0.05), dtype=np.float32)


def loader(records: Records, batch: int, device: torch.device) -> Loader:
    """Two workers that stay alive between epochs; none where the records are in memory already."""
    workers = WORKERS if records.signals is None else 0
    pinned = device.type == "cuda"
    return DataLoader(
        records, batch, shuffle=records.train, num_workers=workers, persistent_workers=workers > 0, pin_memory=pinned
    )


def batches(source: Loader, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    for ecg, labels in source:
        yield ecg.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def train_epoch(network: nn.Module, optimizer: torch.optim.Optimizer, source: Loader, device: torch.device) -> float:
    """The plainest loop: no schedule, no clipping, no averaged weights. Returns the mean loss."""
    network.train()
    total = torch.zeros((), device=device)
    for ecg, labels in batches(source, device):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(network(ecg), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach()
    return float(total) / len(source)


@torch.inference_mode()
def evaluate(network: nn.Module, source: Loader, device: torch.device) -> NDArray[np.float64]:
    """Logits [records, classes]."""
    network.eval()
    return np.concatenate([network(ecg).double().cpu().numpy() for ecg, _ in batches(source, device)])


def bootstrap(
    labels: NDArray[np.bool_], scores: NDArray[np.float64], resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 2.5th and 97.5th percentile of every class's metrics, [metrics, classes], by resampling records."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(labels), size=len(labels)) for _ in range(resamples)]
    values = [[_measured(y, p) for y, p in zip(labels[d].T, scores[d].T, strict=True)] for d in drawn]
    low, high = np.percentile(np.array(values).transpose(0, 2, 1), (2.5, 97.5), axis=0)
    return low, high


def _measured(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[float]:
    """The nine metrics of ecgenough.scoring, at a threshold of one half."""
    called = scores >= 0.5
    sensitivity = metrics.recall_score(labels, called, zero_division=0)
    specificity = metrics.recall_score(~labels, ~called, zero_division=0)
    return [
        metrics.roc_auc_score(labels, scores),
        metrics.average_precision_score(labels, scores),
        sensitivity,
        specificity,
        metrics.precision_score(labels, called, zero_division=0),
        metrics.f1_score(labels, called, zero_division=0),
        float(np.sqrt(sensitivity * specificity)),
        metrics.accuracy_score(labels, called),
        metrics.brier_score_loss(labels, scores),
    ]
