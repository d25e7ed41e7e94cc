"""MiniRocket: ten thousand shares of fixed convolutions, and a ridge regression on them.

Dempster, Schmidt & Webb, MiniRocket: a very fast (almost) deterministic transform for time series classification, KDD
2021 (arXiv 2012.08791), with the multivariate extension of the authors' code. Written here because the libraries that
have it need numba, which lags behind NumPy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch.nn import functional

from ecgenough.baselines.contract import Floats, Rows
from ecgenough.baselines.ridge import Ridge, fit_ridge
from ecgenough.errors import WrongRequest
from ecgenough.progress import track
from ecgenough.signals.store import MICROVOLTS, Store

FEATURES = 9996  # 84 kernels x 119, the paper's number below 10,000; 40 kB a record in memory
MOST_DILATIONS = 32
LENGTH = 9
TRIPLES = np.array(list(combinations(range(LENGTH), 3)))  # where a kernel is 2; elsewhere it is -1
HELD_OUT = 0.2  # of the training patients, to choose the ridge penalty on
BLOCK = 32  # records

Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Transform:
    """What is drawn or learned: by dilation, which leads `[84, leads]` a kernel sums and its biases `[84, biases]`."""

    dilations: tuple[int, ...]
    summed: tuple[NDArray[np.bool_], ...]
    biases: tuple[Features, ...]

    @classmethod
    def fit(cls, store: Store, rows: Rows, seed: int, features: int = FEATURES) -> Self:
        """Draw leads for each kernel; take its biases from quantiles of its output on one training record each."""
        leads, rng = len(store.leads), np.random.default_rng(seed)
        dilations, counts = _dilations(store.samples, features // len(TRIPLES))
        share = _golden(len(TRIPLES) * sum(counts))
        summed, biases, used = [], [], 0
        for dilation, count in zip(dilations, counts, strict=True):
            chosen = np.stack([_some_leads(leads, rng) for _ in TRIPLES])
            examples = rng.choice(rows, len(TRIPLES))
            output = _convolved_one_each(_signals(store, examples), dilation, chosen)
            wanted = share[used : used + len(TRIPLES) * count].reshape(len(TRIPLES), count)
            used += wanted.size
            quantiles = [np.quantile(line, shares) for line, shares in zip(output, wanted, strict=True)]
            summed.append(chosen)
            biases.append(np.array(quantiles, dtype=np.float32))
        return cls(dilations, tuple(summed), tuple(biases))

    def __call__(self, ecg: Features) -> Features:
        """The share of each kernel's output above each bias: `[records, leads, samples]` -> `[records, features]`."""
        found = []
        for place, dilation in enumerate(self.dilations):
            output = _convolved(ecg, dilation, self.summed[place])
            edge = dilation * (LENGTH // 2)
            whole = (np.arange(len(TRIPLES)) + place) % 2 == 0  # every other kernel sees the zeros beyond the ends
            shares = np.empty((len(ecg), *self.biases[place].shape), dtype=np.float32)
            shares[:, whole] = _share_above(output[:, whole], self.biases[place][whole])
            shares[:, ~whole] = _share_above(output[:, ~whole, edge:-edge], self.biases[place][~whole])
            found.append(shares.reshape(len(ecg), -1))
        return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class MiniRocket:
    """The transform and a ridge regression of 0 and 1 on its features."""

    transform: Transform
    ridge: Ridge
    leads: tuple[str, ...]
    rate: float

    @classmethod
    def fit(cls, store: Store, task: str | None, rows: Rows, seed: int) -> Self:
        """Draw the transform from `seed` and fit the regression on the training rows: 40 kB of memory a record."""
        transform = Transform.fit(store, rows, seed)
        labels = store.task(task).labels[rows].astype(np.float64)
        ridge = fit_ridge(_features(transform, store, rows), labels, _held_out(store, rows, seed))
        return cls(transform, ridge, store.leads, store.rate)

    def probabilities(self, store: Store, rows: Rows) -> Floats:
        """The regression's answers through a sigmoid of slope 1 about one half: ranks are kept, and none is cut off."""
        if (store.leads, store.rate) != (self.leads, self.rate):
            raise WrongRequest(
                f"MiniRocket was fitted at {self.rate:g} Hz on {', '.join(self.leads)}; {store.name} is otherwise."
            )
        parts = [self.ridge.predict(self.transform(block)) for block in _blocks(store, rows)]
        return np.asarray(expit(4 * (np.concatenate(parts) - 0.5)), dtype=np.float64)

    def about(self) -> dict[str, Any]:
        features = sum(biases.size for biases in self.transform.biases)
        return {"classifier": "ridge regression", "features": features, "penalty": self.ridge.penalty}


def _dilations(samples: int, features: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Dilations from 1 to the longest that fits, spaced as powers of 2, and how many of the features each gives."""
    wanted = min(features, MOST_DILATIONS)
    longest = np.log2((samples - 1) / (LENGTH - 1))
    dilations, counts = np.unique(np.logspace(0, longest, wanted, base=2).astype(np.int64), return_counts=True)
    counts = (counts * (features / wanted)).astype(np.int64)
    counts[: features - counts.sum()] += 1
    return tuple(map(int, dilations)), tuple(map(int, counts))


def _golden(count: int) -> Floats:
    """The low-discrepancy sequence of the golden ratio, in 0..1."""
    return np.asarray(np.arange(1, count + 1) * ((np.sqrt(5) + 1) / 2) % 1)


def _some_leads(leads: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which leads a kernel sums: from 1 to 9 of them, few more often than many."""
    many = int(2 ** rng.uniform(0, np.log2(min(leads, LENGTH) + 1)))
    chosen = np.zeros(leads, dtype=np.bool_)
    chosen[rng.choice(leads, many, replace=False)] = True
    return chosen


def _kernels() -> Features:
    """The 84 kernels `[84, 9]`."""
    kernels = np.full((len(TRIPLES), LENGTH), -1.0, dtype=np.float32)
    np.put_along_axis(kernels, TRIPLES, 2.0, axis=1)
    return kernels


def _convolved(ecg: Features, dilation: int, summed: NDArray[np.bool_]) -> Features:
    """Outputs `[records, 84, samples]` of the kernels over the sum of their leads, with zeros beyond the ends."""
    weights = torch.from_numpy(summed[:, :, None] * _kernels()[:, None, :])
    with torch.inference_mode():
        output = functional.conv1d(torch.from_numpy(ecg), weights, padding=dilation * (LENGTH // 2), dilation=dilation)
    return np.asarray(output.numpy())


def _convolved_one_each(ecg: Features, dilation: int, summed: NDArray[np.bool_]) -> Features:
    """The same of kernel k for ECG k alone: `[84, leads, samples]` -> `[84, samples]`."""
    lines = torch.from_numpy(np.einsum("kls,kl->ks", ecg, summed.astype(np.float32)))[None]
    weights, padding = torch.from_numpy(_kernels())[:, None], dilation * (LENGTH // 2)
    with torch.inference_mode():
        output = functional.conv1d(lines, weights, padding=padding, dilation=dilation, groups=len(TRIPLES))
    return np.asarray(output[0].numpy())


def _share_above(output: Features, biases: Features) -> Features:
    """Outputs `[records, kernels, samples]`, biases `[kernels, biases]` -> shares `[records, kernels, biases]`."""
    above = [np.count_nonzero(output > biases[:, k, None], axis=-1) for k in range(biases.shape[1])]
    return np.asarray(np.stack(above, axis=-1) / np.float32(output.shape[-1]), dtype=np.float32)


def _features(transform: Transform, store: Store, rows: Rows) -> Features:
    found = np.empty((len(rows), sum(biases.size for biases in transform.biases)), dtype=np.float32)
    for place, block in enumerate(_blocks(store, rows)):
        found[place * BLOCK : place * BLOCK + len(block)] = transform(block)
    return found


def _blocks(store: Store, rows: Rows) -> Iterator[Features]:
    parts = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    for part in track(parts, "MiniRocket", len(parts), f"blocks of {BLOCK} ECGs"):
        yield _signals(store, part)


def _signals(store: Store, rows: Rows) -> Features:
    """ECGs in mV `[records, leads, samples]`."""
    return np.asarray(store.read(rows).astype(np.float32) / np.float32(MICROVOLTS))


def _held_out(store: Store, rows: Rows, seed: int) -> NDArray[np.bool_]:
    """Which rows are of the patients held out."""
    patients = np.array(store.patients)[rows]
    distinct = np.unique(patients)
    drawn = np.random.default_rng(seed).permutation(distinct)[: max(1, round(HELD_OUT * len(distinct)))]
    return np.isin(patients, drawn)
