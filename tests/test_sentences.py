import pytest

from ecgenough.sentences import agreed, counted, listing, quoted


@pytest.mark.parametrize(
    ("given", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listing(given: list[str], said: str) -> None:
    assert listing(given) == said


def test_the_last_of_a_list_may_be_an_alternative() -> None:
    assert listing(["a", "b"], "or") == "a or b"


def test_numbers_are_counted_and_grouped() -> None:
    assert counted(1, "record") == "1 record"
    assert counted(2158, "record") == "2,158 records"
    assert counted(2, "patient with it", "patients with it") == "2 patients with it"


def test_verbs_agree_with_what_is_counted() -> None:
    assert [agreed(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


def test_quotation_marks() -> None:
    assert quoted("a") == "“a”"
