"""Recordings that are there twice."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgenough.inspection.duplicates import NEAR, compared, exact_copies, exact_hash, near_pairs, sketch
from ecgenough.simulation import Case, simulate

MADE = simulate([Case(record=number, patient=number // 2) for number in range(40)], rate=100)
ECGS = [MADE.ecg(row) for row in range(40)]


def test_the_hash_is_of_the_voltages_to_a_microvolt() -> None:
    first = ECGS[0]
    turned = first.select(first.leads[::-1])
    assert exact_hash(turned) == exact_hash(replace(first, patient="other")) == exact_hash(first)
    nearly = replace(first, signal=np.rint(first.signal * 1000) / 1000 + np.float32(2e-4))
    assert exact_hash(nearly) == exact_hash(first)
    assert exact_hash(replace(first, signal=first.signal + np.float32(0.002))) != exact_hash(first)
    assert exact_hash(replace(first, rate=200.0)) != exact_hash(first)


@given(st.sampled_from([-20.0, 0.001, 0.5, 3.0, 1000.0]), st.floats(-1, 1), st.integers(0, 39))
def test_a_sketch_stays_as_it_is_at_another_gain_and_offset(gain: float, offset: float, at: int) -> None:
    ecg = ECGS[at]
    first, other = (
        sketch(signal, ecg.leads) for signal in (ecg.signal, np.float32(gain) * (ecg.signal + np.float32(offset)))
    )
    assert first is not None
    assert other is not None
    assert np.linalg.norm(np.sign(gain) * other - first) < NEAR / 20


def test_other_ecgs_are_not_near_even_of_one_patient() -> None:
    sketches = [sketch(ecg.signal, ecg.leads) for ecg in ECGS]
    assert near_pairs(sketches, range(40)) == []
    copy = sketch(ECGS[3].signal[:, ::2] * 1000, ECGS[3].leads)
    assert near_pairs([*sketches, copy, None], range(42)) == [(3, 40)]
    alike = near_pairs([copy] * 3000, range(3000))  # as flat recordings are: 4.5 million pairs if all were made
    assert 3000 <= len(alike) <= 17 * 3000
    assert sketch(np.zeros((12, 1000), dtype=np.float32), ECGS[0].leads) is None


def test_a_copy_is_compared_sample_by_sample() -> None:
    first, other = ECGS[:2]
    louder = replace(first, signal=np.float32(0.8) * first.signal + np.float32(0.2))
    assert compared(first, louder) == (pytest.approx(1), pytest.approx(0.8, rel=1e-3))
    slower = replace(first, signal=first.signal[:, ::2], rate=50.0)
    assert compared(slower, first) == (pytest.approx(1), pytest.approx(1))
    alike = compared(first, other)
    assert alike is not None
    assert abs(alike[0]) < 0.9
    assert compared(first, replace(first, signal=first.signal[:, :500])) is None


def test_the_first_of_several_alike_is_paired_with_each() -> None:
    assert [(copy.first, copy.second) for copy in exact_copies([5, 7, 5, 8, 5])] == [(0, 2), (0, 4)]


def test_a_lead_that_is_lost_throughout_says_nothing_and_warns_of_nothing() -> None:
    lost = ECGS[0].signal.copy()
    lost[3] = np.nan
    first = replace(ECGS[0], signal=lost)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compared(first, replace(first, signal=2 * lost))
    assert found == pytest.approx((1.0, 2.0))
