import pytest

from ecgenough.sentences import agreed, counted, in_quotes, listing, numeral


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
    assert in_quotes("a") == "“a”"


def test_what_is_less_than_nothing_is_read_with_a_minus_sign() -> None:
    assert [numeral(-1234.5, ",.1f"), numeral(-2, "g"), numeral(0.25, "+.3f")] == ["−1,234.5", "−2", "+0.250"]
