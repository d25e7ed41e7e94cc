"""What a sober baseline makes of the very records that a network is to learn from."""

import hashlib
from pathlib import Path
from zipfile import BadZipFile
from zlib import error as BadDeflate

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ecgenough import baselines
from ecgenough.baselines.classifiers import installed_version
from ecgenough.datasets.joint import columns_by_task
from ecgenough.errors import WrongRequest
from ecgenough.files import written_aside
from ecgenough.progress import track
from ecgenough.sentences import counted
from ecgenough.signals.store import Store

PARTS = 4  # of the patients: each is answered by a baseline that was fitted on the three others
EDITION = 2  # of the rule by which patients are parted; answers of another one are worked out anew
Rows = NDArray[np.int64]
Answers = NDArray[np.float32]


def cross_fitted(name: str, store: Store, task: str, rows: Rows, seed: int) -> Answers:
    """The baseline's probabilities for `rows`, `[rows, classes]`; NaN where a record takes no part in a class's task.

    A baseline knows the records it was fitted on by heart, and would teach their labels once more. So each patient is
    answered by one that was fitted on others, as in stacking (Wolpert 1992); patients of one waveform count as one. The
    answers are kept in a file beside the store. Raises WrongRequest for an unknown baseline, or fewer patients than parts.
    """
    editions = (EDITION, baselines.edition(name), installed_version())
    asked = (*editions, task, seed, store.fingerprint, _told(store, task, rows))
    key = hashlib.sha256(repr(asked).encode()).hexdigest()[:16]
    kept = store.path.parent / f"{store.path.name}.{name}-{key}.npz"
    answers = _read(kept)
    if answers is None:
        answers = _answers(name, store, task, rows, seed)
        with written_aside(kept) as aside, aside.open("wb") as file:
            np.savez_compressed(file, answers=answers)
    return answers


def _told(store: Store, task: str, rows: Rows) -> str:
    """A digest of what a store whose table was written anew tells otherwise of the same signals."""
    digest = hashlib.sha256(rows.tobytes())
    for numbers in (store.patient_hashes(rows), store.ages[rows], store.task(task).labels[rows]):
        digest.update(np.ascontiguousarray(numbers).tobytes())
    digest.update(repr((store.task(task).classes, [store.sexes[row] for row in rows])).encode())
    return digest.hexdigest()


def _answers(name: str, store: Store, task: str, rows: Rows, seed: int) -> Answers:
    truth = store.task(task)
    parts, known = _patient_parts(store, rows, seed), ~np.isnan(truth.labels[rows])
    answers = np.full((len(rows), len(truth.classes)), np.nan, dtype=np.float32)
    work = [
        (of, columns, part) for of, columns in columns_by_task(task, truth.classes).items() for part in range(PARTS)
    ]
    for of, columns, part in track(work, f"fitting {name} to teach", len(work), "fits"):
        takes_part = known[:, columns].all(axis=1)
        learned, answered = takes_part & (parts != part), takes_part & (parts == part)
        if answered.any():
            fitted = baselines.fit(name, store, of, rows[learned], seed)
            answers[answered, columns] = fitted.probabilities(store, rows[answered])
    return answers


def _patient_parts(store: Store, rows: Rows, seed: int) -> NDArray[np.int64]:
    """Which part each row is in `[rows]`; patients stay whole, and with them those who have a waveform of theirs."""
    patients, whose = np.unique(store.patient_hashes(rows), return_inverse=True)
    waveforms, which = np.unique(store.hashes[rows], return_inverse=True)
    size = len(patients) + len(waveforms)
    links = coo_array((np.ones(len(rows)), (whose, len(patients) + which)), shape=(size, size))
    count, linked = connected_components(links, directed=False)
    people = linked[: len(patients)]  # numbered as the patients are, where nobody shares a waveform
    if count < PARTS:
        raise WrongRequest(
            f"a baseline that teaches is fitted on {PARTS - 1} of {PARTS} parts of the patients, and there are "
            f"{counted(count, 'patient')} to learn from. Leave distillation.baselines out."
        )
    part = np.random.default_rng(seed).permutation(count) % PARTS
    return np.asarray(part[people[whose]], dtype=np.int64)


def _read(path: Path) -> Answers | None:
    """The answers kept at `path`; None where there are none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return np.asarray(kept["answers"], dtype=np.float32)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, BadDeflate):
        return None
