"""Uploaded files: safe names, and which of them are recordings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgenough.errors import WrongRequest
from ecgenough.serving.uploads import recordings, safe_name, save


@given(st.text(max_size=200))
def test_a_name_is_a_plain_file_name_or_refused(name: str) -> None:
    try:
        safe = safe_name(name)
    except WrongRequest:
        return
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert "\x00" not in safe


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd"])
def test_folders_in_a_name_are_dropped(name: str) -> None:
    assert safe_name(name) in ("passwd", "boot.ini")


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a\nb", "x" * 121, "a\x00.hea"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(WrongRequest, match="file's name"):
        safe_name(name)


def test_the_samples_of_a_header_are_no_recording_of_their_own(tmp_path: Path) -> None:
    paths = save(tmp_path, [("a.hea", b"h"), ("a.dat", b"d"), ("b.csv", b"c"), ("c.dat", b"d")])
    assert [path.name for path in recordings(paths)] == ["a.hea", "b.csv", "c.dat"]
    assert (tmp_path / "b.csv").read_bytes() == b"c"


def test_two_of_one_name_and_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="same name"):
        save(tmp_path, [("a.hea", b""), ("x/a.hea", b"")])
    with pytest.raises(WrongRequest, match="no file"):
        save(tmp_path, [])
