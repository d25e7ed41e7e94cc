"""PTB-XL (Wagner et al. 2020, doi:10.1038/s41597-020-0495-6): 21,799 ten-second ECGs with SCP-ECG statements.

Tasks as Strodthoff et al. 2021 (doi:10.1109/JBHI.2020.3022989) define them: a statement counts if it is listed in
`scp_codes`, whatever its likelihood; a record takes part in a task if it carries at least one of its classes.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.listing import present_wfdb
from ecgenough.datasets.sheet import Sheet, read_sheet
from ecgenough.datasets.table import Dataset, Task
from ecgenough.errors import WrongRequest

DATABASE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
FOLDERS = {100: "records100", 500: "records500"}
FILENAMES = {100: "filename_lr", 500: "filename_hr"}
TRAIN_FOLDS, VALIDATION_FOLDS, TEST_FOLDS = (1, 2, 3, 4, 5, 6, 7, 8), (9,), (10,)

SUPERCLASSES = {
    "NORM": "normal ECG",
    "MI": "myocardial infarction",
    "STTC": "ST-T change",
    "CD": "conduction disturbance",
    "HYP": "hypertrophy",
}
RIGHT_HEART_STRAIN = "right-heart-strain"
STRAIN_STATEMENTS = ("RVH", "RAO/RAE")
STRAIN_RECORDS = 927  # as many as the private set of pulmonary embolism this task stands in for

SEXES = {"0": "male", "1": "female", "": ""}
OLDEST = 90.0

_CODES = re.compile(r"\{(?:'[^']+': \d+(?:\.\d+)?(?:, )?)*\}")
_CODE = re.compile(r"'([^']+)': (\d+(?:\.\d+)?)")


def open_ptbxl(root: Path, rate: float | None = None, seed: int = 0, name: str = "ptb-xl") -> Dataset:
    """List PTB-XL, or any folder laid out like it; opening takes about a second.

    `rate` in Hz is the rate wanted: up to 100 the files in records100 are used, above it those in records500; without
    one, records100 if it is there. Where a rate up to 100 is wanted but there is only records500, its 500 Hz files are
    used, to be resampled in conditioning; the other way round is refused, since 100 Hz files hold no finer detail.

    Ages above 89, which release 1.0.2 and later may code as 300, become 90: "90 or older". Sex is 0 for male and 1 for
    female (table 2 of Wagner et al. 2020). Likelihoods are the percentages of `scp_codes` over 100; 0 there means "not
    given", as for nearly every form and rhythm statement, and becomes 1, so that soft labels agree with hard ones
    where the annotators stated nothing. Of several statements of one class the likeliest counts. A record without a
    patient is a patient of its own.
    `seed` draws the negatives of right-heart-strain. Raises WrongRequest if a table or all records are absent.
    """
    database, statements = _table(root, DATABASE), _table(root, STATEMENTS)
    chosen = _chosen_rate(root, rate)
    paths = [f"{path}.hea" for path in database.column(FILENAMES[chosen])]
    present = present_wfdb(root, database.column("ecg_id"), paths)
    database = database.where(present.kept)
    patients = tuple(
        patient.removesuffix(".0") or f"record {record}"
        for patient, record in zip(database.column("patient_id"), database.column("ecg_id"), strict=True)
    )
    tasks = _tasks(database, patients, statements, seed)
    return Dataset(
        name=name,
        root=root,
        records=tuple(database.column("ecg_id")),
        paths=present.paths,
        patients=patients,
        folds=database.whole_numbers("strat_fold"),
        ages=_ages(database),
        sexes=tuple(_sex(database, row) for row in range(len(database))),
        tasks={task.name: task for task in tasks},
        train_folds=TRAIN_FOLDS,
        validation_folds=VALIDATION_FOLDS,
        test_folds=TEST_FOLDS,
        default_task="superdiagnostic",
        rejected=present.rejected,
    )


def _table(root: Path, name: str) -> Sheet:
    if not (root / name).is_file():
        raise WrongRequest(
            f"{name} is not in {root}. Give the folder that holds it with --from, or fetch it: "
            f"ecgenough fetch ptb-xl {root}"
        )
    return read_sheet(root / name)


def _chosen_rate(root: Path, rate: float | None) -> int:
    there = [published for published, folder in FOLDERS.items() if (root / folder).is_dir()]
    if not there:
        raise WrongRequest(
            f"neither records100 nor records500 is in {root}, only the tables about them. Give the folder that holds "
            f"the signals too with --from, or fetch them: ecgenough fetch ptb-xl {root}"
        )
    if rate is not None and rate > 100 and 500 not in there:
        raise WrongRequest(
            f"{root} has records100 only, and {rate:g} Hz was asked for. Ask for 100 Hz, or add the records500 folder."
        )
    return 500 if 100 not in there or (rate is not None and rate > 100) else 100


def _ages(database: Sheet) -> NDArray[np.float32]:
    ages = database.numbers("age")
    return np.where(ages > 89, OLDEST, ages).astype(np.float32)


def _sex(database: Sheet, row: int) -> str:
    code = database.column("sex")[row].removesuffix(".0")
    if code not in SEXES:
        raise database.complaint("sex", row, f'"{code}" is neither 0 (male) nor 1 (female)')
    return SEXES[code]


# --- tasks -----------------------------------------------------------------------------------------------------------


def _tasks(database: Sheet, patients: Sequence[str], statements: Sheet, seed: int) -> list[Task]:
    codes, titles = next(iter(statements.columns.values())), statements.column("description")
    likelihoods = _likelihoods(database, codes)
    named = dict(zip(codes, titles, strict=True))
    groups = {
        "superdiagnostic": _grouped(codes, statements, "diagnostic_class"),
        "all": {code: [code] for code in codes},
        "diagnostic": {code: [code] for code in _flagged(codes, statements, "diagnostic")},
        "subdiagnostic": _grouped(codes, statements, "diagnostic_subclass"),
        "form": {code: [code] for code in _flagged(codes, statements, "form")},
        "rhythm": {code: [code] for code in _flagged(codes, statements, "rhythm")},
    }
    tasks = [_task(name, classes, codes, likelihoods, named) for name, classes in groups.items() if classes]
    strain = _strain(database.column("ecg_id"), patients, codes, likelihoods, seed)
    return tasks if strain is None else [*tasks, strain]


def _flagged(codes: Sequence[str], statements: Sheet, kind: str) -> list[str]:
    return [code for code, flag in zip(codes, statements.numbers(kind), strict=True) if flag == 1]


def _grouped(codes: Sequence[str], statements: Sheet, column: str) -> dict[str, list[str]]:
    """Diagnostic statements by the class they belong to; superclasses in their usual order."""
    groups: dict[str, list[str]] = {}
    diagnostic = set(_flagged(codes, statements, "diagnostic"))
    for code, group in zip(codes, statements.column(column), strict=True):
        if code in diagnostic and group:
            groups.setdefault(group, []).append(code)
    usual = list(SUPERCLASSES)
    return dict(sorted(groups.items(), key=lambda item: usual.index(item[0]) if item[0] in usual else len(usual)))


def _task(
    name: str,
    classes: dict[str, list[str]],
    codes: Sequence[str],
    likelihoods: NDArray[np.float32],
    named: dict[str, str],
) -> Task:
    place = {code: index for index, code in enumerate(codes)}
    columns = [likelihoods[:, [place[code] for code in members]].max(axis=1) for members in classes.values()]
    soft = np.stack(columns, axis=1)
    positive = soft > 0
    titles = tuple(_title(group, members, named) for group, members in classes.items())
    return Task(name, tuple(classes), positive.astype(np.float32), np.any(positive, axis=1), soft, titles)


def _title(group: str, members: Sequence[str], named: dict[str, str]) -> str:
    """A statement's own description; for a class of statements, its usual name or what is in it."""
    if group in SUPERCLASSES:
        return SUPERCLASSES[group]
    return named[group] if group in named else ", ".join(named[code] for code in members)


def _likelihoods(database: Sheet, codes: Sequence[str]) -> NDArray[np.float32]:
    """Each record's likelihood of each statement, from 0 (not listed) to 1; float32 `[records, statements]`."""
    place = {code: index for index, code in enumerate(codes)}
    likelihoods = np.zeros((len(database), len(codes)), dtype=np.float32)
    for row, text in enumerate(database.column("scp_codes")):
        listed = _listed(text)
        if listed is None:
            raise database.complaint("scp_codes", row, f"{text[:60]} is not of the form {{'NORM': 100.0}}")
        for code, percent in listed:
            if code not in place:
                raise database.complaint("scp_codes", row, f'statement "{code}" is not in {STATEMENTS}')
            likelihoods[row, place[code]] = percent / 100 if 0 < percent <= 100 else 1.0
    return likelihoods


@cache
def _listed(text: str) -> tuple[tuple[str, float], ...] | None:
    if not _CODES.fullmatch(text):
        return None
    return tuple((code, float(percent)) for code, percent in _CODE.findall(text))


def _strain(
    records: Sequence[str], patients: Sequence[str], codes: Sequence[str], likelihoods: NDArray[np.float32], seed: int
) -> Task | None:
    """Right-heart strain: every record with RVH or RAO/RAE, and negatives up to 927 records in all.

    Negatives come from other patients, one record each, in an order drawn from `seed` that does not depend on which
    other records are there.
    """
    columns = [index for index, code in enumerate(codes) if code in STRAIN_STATEMENTS]
    soft = likelihoods[:, columns].max(axis=1, initial=0.0)
    listed = soft > 0
    if not listed.any():
        return None
    taken = {patients[row] for row in np.flatnonzero(listed).tolist()}
    wanted = max(STRAIN_RECORDS - int(listed.sum()), 0)
    for row in sorted(np.flatnonzero(soft == 0).tolist(), key=lambda row: _draw(records[row], seed)):
        if not wanted:
            break
        if patients[row] not in taken:
            taken.add(patients[row])
            listed[row] = True
            wanted -= 1
    labels = (soft > 0).astype(np.float32)[:, None]
    title = "right ventricular hypertrophy or right atrial enlargement"
    return Task(RIGHT_HEART_STRAIN, (RIGHT_HEART_STRAIN,), labels, listed, soft[:, None], (title,))


def _draw(record: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{record}".encode(), digest_size=8).digest()
