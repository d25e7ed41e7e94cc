"""Whatever bytes of a recording are changed, cut or doubled: it is read, or refused in one sentence with its name."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from benchmarks.mutations import with_scp_checksum
from benchmarks.samples import WRITERS, sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import read


@cache
def _whole(name: str) -> bytes:
    return sample(name, 500 if name in ("edf", "bdf") else 40)[0]


_DAMAGE = st.tuples(
    st.floats(0, 1),  # where, as a part of the file
    st.sampled_from(["replace", "insert", "delete", "repeat", "cut"]),
    st.binary(min_size=1, max_size=8),
    st.integers(1, 400),
)


def _damaged(content: bytes, where: float, how: str, new: bytes, size: int) -> bytes:
    at = int(where**3 * len(content))  # headers stand first, and decide most
    if how == "replace":
        return content[:at] + new + content[at + len(new) :]
    if how == "insert":
        return content[:at] + new + content[at:]
    if how == "delete":
        return content[:at] + content[at + size :]
    if how == "repeat":
        return content[: at + size] + content[at:]
    return content[:at]


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages=st.lists(_DAMAGE, min_size=1, max_size=4))
def test_a_damaged_recording_is_read_or_refused_in_one_sentence(
    name: str, tmp_path: Path, damages: list[tuple[float, str, bytes, int]]
) -> None:
    content = _whole(name)
    for damage in damages:
        content = _damaged(content, *damage)
    place = tmp_path / "damaged.bin"
    place.write_bytes(with_scp_checksum(content) if name.startswith("scp") else content)
    ecg, sentence = _outcome(place)
    if ecg is None:
        assert "damaged.bin" in sentence
        assert "\n" not in sentence
        assert len(sentence) < 600
    else:
        assert ecg.signal.dtype == np.float32
        assert 0 < ecg.signal.size <= 40_000
        assert not np.isinf(ecg.signal).any()


def _outcome(place: Path) -> tuple[Ecg | None, str]:
    try:
        return read(place), ""
    except (BrokenRecord, WrongRequest) as error:
        return None, str(error)
