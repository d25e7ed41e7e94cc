"""12-lead ECGs out of nothing: a dipole, a chest, a rhythm, noise, and findings that meet their clinical criteria."""

from ecgenough.simulation.cohort import embolism_ceiling
from ecgenough.simulation.collection import KINDS, planted, simulate_collection
from ecgenough.simulation.findings import FINDINGS, Finding
from ecgenough.simulation.simulator import Case, Simulated, Waves, simulate

__all__ = [
    "FINDINGS",
    "KINDS",
    "Case",
    "Finding",
    "Simulated",
    "Waves",
    "embolism_ceiling",
    "planted",
    "simulate",
    "simulate_collection",
]
