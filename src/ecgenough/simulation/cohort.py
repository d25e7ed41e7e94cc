"""Who has what: patients, their records and findings, at the prevalences of real collections."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Sex
from ecgenough.simulation.findings import CONTRADICTIONS, FINDINGS
from ecgenough.simulation.simulator import Case

FOLDS = 10
# Records a patient has, in PTB-XL 1.0.3.
RECORDS_A_PATIENT = {1: 0.889, 2: 0.083, 3: 0.019, 4: 0.009}

# Superclasses that occur together in PTB-XL 1.0.3 and how often; NORM beside others is left out.
SUPERCLASSES: dict[str, float] = {
    "NORM": 0.4350, "MI": 0.1161, "STTC": 0.1101, "CD": 0.0960, "MI CD": 0.0594, "HYP STTC": 0.0361,
    "MI STTC": 0.0275, "HYP": 0.0244, "STTC CD": 0.0221, "MI STTC HYP": 0.0163, "CD HYP": 0.0139,
    "MI STTC CD": 0.0103, "STTC CD HYP": 0.0095, "MI HYP": 0.0085, "MI STTC CD HYP": 0.0071, "MI CD HYP": 0.0057,
}  # fmt: skip

# What a superclass is made of, in about the proportions of PTB-XL's statements.
MEMBERS: dict[str, dict[str, float]] = {
    "MI": {
        "IMI": 0.34, "IMI-acute": 0.06, "IMI IMI-acute": 0.06,
        "ASMI": 0.32, "ASMI-acute": 0.06, "ASMI ASMI-acute": 0.08, "LMI": 0.08,
    },
    "STTC": {"NDT": 0.42, "ISC_": 0.38, "TINV": 0.10, "LNGQT": 0.10},
    "CD": {"LAFB": 0.32, "IRBBB": 0.22, "1AVB": 0.17, "CRBBB": 0.11, "CLBBB": 0.11, "CRBBB LAFB": 0.07},
    "HYP": {"LVH": 0.82, "RVH": 0.07, "LAE": 0.11},
}  # fmt: skip
RHYTHMS_NORMAL = {"": 0.87, "SBRAD": 0.05, "SARRH": 0.05, "STACH": 0.03}
RHYTHMS_ILL = {"": 0.79, "AFIB": 0.09, "STACH": 0.05, "SBRAD": 0.03, "SARRH": 0.04}


@dataclass(frozen=True)
class Sign:
    """How often a finding occurs with and without an embolism."""

    with_embolism: float
    without: float


EMBOLISM_SHARE = 0.23  # positives of the 927 ECGs of Marques & Oliveira 2025

# With embolism: tachycardia 38%, ST elevation in aVR 36% and T inversion (there in V1) 38%, pooled over 45 studies by
# Shopp et al., Acad Emerg Med 2015;22:1127; T inversion in V1-V4 39% in Ryu et al., Korean Circ J 2010;40:499. Without:
# tachycardia 15.7%, S1Q3T3 3.3%, T inversion in V1-V4 2.0%, incomplete RBBB 2.8% in Marchick et al., Ann Emerg Med
# 2010;55:331. Which signs count is as in Daniel et al., Chest 2001;120:474 and Kosuge et al., Am J Cardiol 2007;99:817.
# The other shares are chosen between published extremes. Signs are independent within a group (but for those that
# contradict each other), so the best possible classifier is known.
SIGNS: dict[str, Sign] = {
    "STACH": Sign(0.38, 0.157),
    "S1Q3T3": Sign(0.20, 0.033),
    "TINV": Sign(0.36, 0.020),
    "CRBBB": Sign(0.09, 0.030),
    "IRBBB": Sign(0.10, 0.028),
    "RAD": Sign(0.16, 0.040),
    "STE-aVR": Sign(0.36, 0.080),
}
# What patients bring along whether or not they have an embolism.
BACKGROUND = {"NDT": 0.08, "LVH": 0.06, "LAFB": 0.05, "1AVB": 0.04, "ASMI": 0.03, "PVC": 0.04, "AFIB": 0.06}


@dataclass(frozen=True, eq=False)
class Cohort:
    """The records to simulate; `labels` is what they are positive for, `folds` 1 to 10 with every patient in one."""

    cases: tuple[Case, ...]
    labels: tuple[frozenset[str], ...]
    folds: NDArray[np.int64]


def superclass_cohort(records: int, seed: int) -> Cohort:
    """Multi-label records of NORM, MI, STTC, CD and HYP as they occur in PTB-XL."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    patients = _patients(records, rng)
    combinations = [_pick(SUPERCLASSES, rng) for _ in range(patients[-1] + 1)]
    chronic = [_members(combination.split(), rng) for combination in combinations]
    normal = np.array([combination == "NORM" for combination in combinations])
    mean, spread = np.where(normal, 52.0, 65.5), np.where(normal, 17.0, 14.0)
    ages = np.clip(rng.normal(mean, spread), 18, 89).round()
    female = rng.random(len(ages)) < np.where(normal, 0.55, 0.43)
    cases = []
    for record, patient in enumerate(patients):
        rhythm = _pick(RHYTHMS_NORMAL if normal[patient] else RHYTHMS_ILL, rng)
        beats = {rhythm} - {""} | ({"PVC"} if not normal[patient] and rng.random() < 0.08 else set())
        findings = _compatible(chronic[patient], sorted(beats))
        sex: Sex = "female" if female[patient] else "male"
        cases.append(Case(findings, record + 1, int(patient) + 1, float(ages[patient]), sex))
    labels = tuple(_superclasses(case) for case in cases)
    strata = [" ".join(sorted(label)) for label in labels]
    return Cohort(tuple(cases), labels, _folds(patients, strata, rng))


def embolism_cohort(records: int, seed: int) -> Cohort:
    """Suspected pulmonary embolism: 23% have one, a minority of those show each sign, and some without show it too."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    patients = _patients(records, rng)
    count = patients[-1] + 1
    positive = rng.permutation(count) < round(EMBOLISM_SHARE * count)
    ages = np.clip(rng.normal(62.0, 16.0, count), 18, 89).round()
    female = rng.random(count) < 0.52
    cases = []
    for record, patient in enumerate(patients):
        signs = _signs(bool(positive[patient]), rng)
        background = [name for name, share in BACKGROUND.items() if rng.random() < share]
        findings = _compatible(signs, background)
        sex: Sex = "female" if female[patient] else "male"
        cases.append(Case(findings, record + 1, int(patient) + 1, float(ages[patient]), sex))
    labels = tuple(frozenset({"embolism"}) if positive[patient] else frozenset() for patient in patients)
    strata = [str(bool(label)) for label in labels]
    return Cohort(tuple(cases), labels, _folds(patients, strata, rng))


def embolism_ceiling() -> float:
    """The AUC of the best classifier of embolism that sees every sign exactly, over all patterns of signs.

    No classifier ranks better than by the likelihood ratio (Neyman & Pearson 1933).
    """
    patterns = [frozenset(pattern) for pattern in _patterns()]
    ill, well = (np.array([_likelihood(pattern, positive) for pattern in patterns]) for positive in (True, False))
    ill, well = ill / ill.sum(), well / well.sum()
    order = np.argsort(ill / well)
    ill, well = ill[order], well[order]
    return float((ill * (np.cumsum(well) - 0.5 * well)).sum())


def _signs(positive: bool, rng: np.random.Generator) -> frozenset[str]:
    """Draw until no two signs contradict each other."""
    while True:
        drawn = rng.random(len(SIGNS))
        shares = [sign.with_embolism if positive else sign.without for sign in SIGNS.values()]
        signs = frozenset(name for name, share, number in zip(SIGNS, shares, drawn, strict=True) if number < share)
        if not _contradicts(signs):
            return signs


def _patterns() -> list[tuple[str, ...]]:
    every = itertools.chain.from_iterable(itertools.combinations(SIGNS, size) for size in range(len(SIGNS) + 1))
    return [pattern for pattern in every if not _contradicts(frozenset(pattern))]


def _likelihood(pattern: frozenset[str], positive: bool) -> float:
    shares = {name: sign.with_embolism if positive else sign.without for name, sign in SIGNS.items()}
    return float(np.prod([share if name in pattern else 1 - share for name, share in shares.items()]))


def _contradicts(findings: frozenset[str]) -> bool:
    return any(pair <= findings for pair in CONTRADICTIONS)


def _compatible(first: frozenset[str], others: Sequence[str]) -> frozenset[str]:
    """`first`, and of the others those that contradict nothing before them."""
    findings = first
    for other in others:
        if not _contradicts(findings | {other}):
            findings |= {other}
    return findings


def _members(superclasses: Sequence[str], rng: np.random.Generator) -> frozenset[str]:
    """Findings that make up all of `superclasses`, drawn again until they go together."""
    while True:
        chosen = [_pick(MEMBERS[superclass], rng).split() for superclass in superclasses if superclass != "NORM"]
        findings = frozenset(itertools.chain.from_iterable(chosen))
        if not _contradicts(findings):
            return findings


def _superclasses(case: Case) -> frozenset[str]:
    return frozenset(FINDINGS[name].superclass for name in case.findings) - {""} or frozenset({"NORM"})


def _pick(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    names, weights = list(shares), np.array(list(shares.values()))
    return names[int(np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(), side="right"))]


def _patients(records: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The patient of each record, ascending from 0."""
    many = [int(_pick({str(n): share for n, share in RECORDS_A_PATIENT.items()}, rng)) for _ in range(records)]
    return np.repeat(np.arange(records), many)[:records]


def _folds(patients: NDArray[np.int64], strata: Sequence[str], rng: np.random.Generator) -> NDArray[np.int64]:
    """Folds 1 to 10 with each patient whole and each stratum (that of a patient's first record) spread evenly."""
    first = np.unique(patients, return_index=True)[1].tolist()
    luck = rng.random(len(first))
    order = sorted(range(len(first)), key=lambda patient: (strata[first[patient]], luck[patient]))
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % FOLDS + 1
    return fold[patients]


def count_positive(cohort: Cohort) -> dict[str, int]:
    """How many records are positive for each label."""
    names = sorted(set(itertools.chain.from_iterable(cohort.labels)))
    return {name: sum(name in label for label in cohort.labels) for name in names}
