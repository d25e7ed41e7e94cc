"""The other way: what one writes with wfdb, SciPy, a PyTorch Dataset and scikit-learn on a first afternoon."""

from collections.abc import Sequence
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import wfdb
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt
from sklearn import metrics  # type: ignore[import-untyped]
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
    """Every record band-passed, written to one NPY file of float32 [records, leads, samples]."""
    if processes == 1:
        signals = np.stack([band_passed(path) for path in paths])
    else:
        with Pool(processes) as pool:
            signals = np.stack(pool.map(band_passed, paths, chunksize=16))
    np.save(out, signals)
    return signals


class Records(Dataset[tuple[Tensor, Tensor]]):
    """One record at a time: read (or, `preloaded`, kept), crop, augment for training, z-score per lead."""

    def __init__(self, paths: Sequence[str], labels: Floats, length: int, train: bool, preloaded: bool = False) -> None:
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
        return torch.from_numpy(ecg), torch.from_numpy(self.labels[index])

    def loader(self, batch: int, device: torch.device, workers: int = WORKERS) -> Loader:
        """Workers that stay alive between epochs; none where the records are in memory: they would only slow it."""
        workers, pin = workers if self.signals is None else 0, device.type == "cuda"
        return DataLoader(self, batch, self.train, num_workers=workers, persistent_workers=workers > 0, pin_memory=pin)


def augmented(ecg: Floats) -> Floats:
    """Rolled in time, each lead scaled by up to a tenth, one lead in twenty silenced: the recipe of __main__.py."""
    ecg = np.roll(ecg, np.random.randint(ecg.shape[1]), axis=1)
    factors = np.random.uniform(0.9, 1.1, (len(ecg), 1)) * (np.random.rand(len(ecg), 1) >= 0.05)
    return np.asarray(ecg * factors, dtype=np.float32)


def show(loader: Loader, device: torch.device) -> None:
    """Bring every batch to the device, and do nothing with it."""
    for ecg, labels in loader:
        ecg.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def train_epoch(network: nn.Module, optimizer: torch.optim.Optimizer, loader: Loader, device: torch.device) -> float:
    """The plainest loop: no schedule, no clipping, no averaged weights. Returns the summed loss."""
    network.train()
    total = torch.zeros((), device=device)
    for ecg, labels in loader:
        optimizer.zero_grad()
        logits = network(ecg.to(device, non_blocking=True))
        loss = F.binary_cross_entropy_with_logits(logits, labels.to(device, non_blocking=True))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach()
    return float(total)


@torch.inference_mode()
def evaluate(network: nn.Module, loader: Loader, device: torch.device) -> NDArray[np.float32]:
    """Logits [records, classes]."""
    network.eval()
    return np.concatenate([network(ecg.to(device, non_blocking=True)).cpu().numpy() for ecg, _ in loader])


def lower_bounds(labels: NDArray[np.bool_], scores: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """The 2.5th percentile of each metric of each class [classes, metrics], over records drawn with replacement."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(labels), size=len(labels)) for _ in range(resamples)]
    values = [[_measured(y, p) for y, p in zip(labels[d].T, scores[d].T, strict=True)] for d in drawn]
    return np.asarray(np.percentile(values, 2.5, axis=0))


def _measured(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[float]:
    """The nine metrics of ecgenough.scoring, called at one half."""
    called = scores >= 0.5
    sensitivity, specificity = metrics.recall_score(labels, called), metrics.recall_score(~labels, ~called)
    ranked = [metrics.roc_auc_score(labels, scores), metrics.average_precision_score(labels, scores)]
    counted = [metrics.precision_score(labels, called), metrics.f1_score(labels, called)]
    whole = [metrics.accuracy_score(labels, called), metrics.brier_score_loss(labels, scores)]
    return [*ranked, *counted, *whole, sensitivity, specificity, float(np.sqrt(sensitivity * specificity))]
