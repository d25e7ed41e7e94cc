"""Sentences about names."""

from ecgenough.errors import doubled, few


def test_many_names_are_cut_short_and_counted() -> None:
    names = [f"c{number}" for number in range(14)]
    assert few(names) == "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 2 more"
    assert few(names[:13]) == ", ".join(names[:13])  # "and 1 more" would be no shorter than its name
    assert few(["a", "b"]) == "a, b"


def test_the_first_name_that_is_there_twice_is_told() -> None:
    assert doubled(["a", "b", "", "b", "a"]) == "a"
    assert doubled(["", "a", ""]) == ""
    assert doubled(["a", "b"]) is None
