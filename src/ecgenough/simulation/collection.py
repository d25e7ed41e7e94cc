"""Simulated collections on disk, laid out as real ones are, so that nothing downstream knows the difference."""

import csv
import fcntl
import glob
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import EcgenoughError, WrongRequest, nearest
from ecgenough.files import aside_of, csv_text, write_text
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.progress import track
from ecgenough.simulation.cohort import Cohort, count_positive, embolism_ceiling, embolism_cohort, superclass_cohort
from ecgenough.simulation.layout import write_embolism_tables, write_ptbxl_tables
from ecgenough.simulation.simulator import Case, Simulated, check_extent, simulate

KINDS = {"superclasses": 2000, "embolism": 927}  # and how many records each has if none are asked for
ABOUT, PLANTED = "simulated.json", "planted.csv"
BLOCK = 64


@dataclass(frozen=True)
class _Plan:
    """What every block needs to know."""

    folder: Path
    rate: float
    duration: float
    seed: int


def simulate_collection(
    out: Path,
    kind: str,
    records: int | None = None,
    seed: int = 0,
    rate: float = 500.0,
    duration: float = 10.0,
    workers: int | None = None,
    block: int = BLOCK,
) -> Path:
    """Write `records` ECGs of `kind` ("superclasses" or "embolism") to the folder `out` and return it.

    Superclasses come in PTB-XL's layout (rate 500 or 100 Hz), embolism with labels.csv. simulated.json says what was
    made, planted.csv what was planted where. The files are the same for the same seed, whatever `workers` and `block`.
    Raises WrongRequest for an unknown kind, impossible numbers, or an `out` that exists and is not an empty folder.
    """
    _check(out, kind, records, seed, rate, duration)
    count = KINDS[kind] if records is None else records
    cohort = superclass_cohort(count, seed) if kind == "superclasses" else embolism_cohort(count, seed)
    with _folder_aside(out) as folder:
        paths = [_path(kind, rate, case) for case in cohort.cases]
        for parent in sorted({str(Path(path).parent) for path in paths}):
            (folder / parent).mkdir(parents=True)
        plan = _Plan(folder, rate, duration, seed)
        done = _write_records(plan, cohort.cases, paths, workers or os.cpu_count() or 1, max(1, block))
        for _ in track(done, "simulating", count, "ECGs"):
            pass
        if kind == "superclasses":
            write_ptbxl_tables(folder, cohort, paths, seed)
        else:
            write_embolism_tables(folder, cohort, paths)
        _write_planted(folder / PLANTED, cohort)
        write_text(folder / ABOUT, json.dumps(_about(kind, cohort, seed, rate, duration), indent=2) + "\n")
    return out


def planted(folder: Path, record: int) -> Simulated:
    """Simulate one record of a collection again: the same signal, with what is planted in it and where.

    `record` is its number, from 1 as in planted.csv.
    Raises WrongRequest if the folder was not written by `simulate_collection` or has no such record.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        with (folder / PLANTED).open(newline="", encoding="utf-8") as file:
            rows = {int(row["record"]): row for row in csv.DictReader(file)}
        row = rows[record]
        findings = frozenset(row["findings"].split())
        case = Case(
            findings, record, int(row["patient"]), float(row["age"]), "female" if row["sex"] == "female" else "male"
        )
        return simulate([case], rate=float(about["rate"]), duration=float(about["duration"]), seed=int(about["seed"]))
    except (OSError, ValueError, TypeError):
        raise WrongRequest(f"{folder} holds no simulated collection: {ABOUT} and {PLANTED} must be in it.") from None
    except KeyError:
        raise WrongRequest(f"record {record} is not in {folder / PLANTED}.") from None


def _check(out: Path, kind: str, records: int | None, seed: int, rate: float, duration: float) -> None:
    if kind not in KINDS:
        raise WrongRequest(f'kind "{kind}" cannot be simulated. {nearest(kind, KINDS)}')
    if records is not None and records < 1:
        raise WrongRequest(f"cannot simulate {records} records; ask for one or more.")
    if seed < 0:
        raise WrongRequest(f"seed {seed} is negative; give 0 or more.")
    if kind == "superclasses" and rate not in (100, 500):
        raise WrongRequest(f"PTB-XL's layout knows 500 and 100 Hz, not {rate:g} Hz; choose one of them.")
    check_extent(rate, duration)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise WrongRequest(f"{out} exists and is not an empty folder; give another one or remove it.")


@contextmanager
def _folder_aside(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that becomes `out` on success and goes on any error."""
    place = out.resolve()
    aside = aside_of(place)
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        _remove_what_is_left(place)
        aside.mkdir()
        lock = _locked(aside)
    except OSError as error:
        raise WrongRequest(f"{out} cannot be written: {error.strerror}. Give another folder.") from None
    try:
        yield aside
        if place.exists():
            place.rmdir()
        aside.rename(place)
    except OSError as error:
        raise EcgenoughError(f"{out} could not be written: {error.strerror or error}. Nothing of it is left.") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(lock)


def _remove_what_is_left(place: Path) -> None:
    """Remove the temporary folders of runs for `place` that were killed: nobody holds their lock any more."""
    for part in place.parent.glob(f".{glob.escape(place.name)}.*.part"):
        try:
            lock = _locked(part)
        except OSError:  # held by a run that goes on
            continue
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int:
    """Lock a folder until the descriptor is closed or the process ends. Raises OSError where it is locked already."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _path(kind: str, rate: float, case: Case) -> str:
    """Where a record lies, relative to the collection: a folder for every thousand, as in PTB-XL."""
    name = f"{case.record // 1000 * 1000:05d}/{case.record:05d}"
    if kind == "superclasses":
        return f"records100/{name}_lr" if rate == 100 else f"records500/{name}_hr"
    return f"records/{name}"


def _write_records(plan: _Plan, cases: Sequence[Case], paths: Sequence[str], workers: int, block: int) -> Iterator[int]:
    """Simulate and write block by block; yields how many records each block had."""
    starts = range(0, len(cases), block)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        jobs = [pool.submit(_write_block, plan, cases[i : i + block], paths[i : i + block]) for i in starts]
        try:
            for job in jobs:
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _write_block(plan: _Plan, cases: Sequence[Case], paths: Sequence[str]) -> int:
    simulated = simulate(cases, rate=plan.rate, duration=plan.duration, seed=plan.seed)
    for signal, case, path in zip(simulated.signal, cases, paths, strict=True):
        place = plan.folder / path
        comments = (f"Age: {case.age:.0f}", f"Sex: {case.sex.capitalize()}", "simulated by ecgenough")
        write_wfdb(place.parent, place.name, Ecg(signal, plan.rate, STANDARD_LEADS), comments)
    return len(cases)


def _write_planted(path: Path, cohort: Cohort) -> None:
    rows = (
        (case.record, case.patient, f"{case.age:.0f}", case.sex, " ".join(sorted(case.findings)))
        for case in cohort.cases
    )
    write_text(path, csv_text(("record", "patient", "age", "sex", "findings"), rows))


def _about(kind: str, cohort: Cohort, seed: int, rate: float, duration: float) -> dict[str, object]:
    about: dict[str, object] = {
        "kind": kind,
        "records": len(cohort.cases),
        "patients": len({case.patient for case in cohort.cases}),
        "seed": seed,
        "rate": rate,
        "duration": duration,
        "leads": list(STANDARD_LEADS),
        "positives": count_positive(cohort),
    }
    if kind == "embolism":
        about["ceiling"] = {
            "auc": round(embolism_ceiling(), 4),
            "of": "the best classifier that sees every sign exactly",
        }
    return about
