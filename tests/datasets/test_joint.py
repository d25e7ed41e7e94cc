"""Tasks joined into one: whose classes they are, and which labels were never asked for."""

from typing import Any

import numpy as np
import pytest

from ecgenough.datasets.joint import columns_by_task, own_class, part_names
from ecgenough.datasets.table import Task, find_task, joined
from ecgenough.errors import WrongRequest

RHYTHM = Task("rhythm", ("SR", "AF"), [[1, 0], [0, 1], [0, 0]], [True, True, False], titles=("sinus rhythm", "fib"))
FORM = Task("form", ("SR", "LVOLT", "PVC"), [[0, 0, 0], [0, 1, 1], [1, 0, 0]], [False, True, True])
NAN = np.nan


def test_a_joint_task_has_the_classes_of_all_and_labels_only_where_they_were_asked_for() -> None:
    both = joined([RHYTHM, FORM])
    assert both.name == "rhythm+form"
    assert both.classes == ("rhythm:SR", "rhythm:AF", "form:SR", "form:LVOLT", "form:PVC")
    assert both.titles == ("sinus rhythm", "fib", "SR", "LVOLT", "PVC")
    expected = [[1, 0, NAN, NAN, NAN], [0, 1, 0, 1, 1], [NAN, NAN, 1, 0, 0]]
    np.testing.assert_array_equal(both.labels, expected)
    assert both.listed.tolist() == [True, True, True]
    assert both.is_joint
    assert not RHYTHM.is_joint


def test_the_order_named_is_the_order_of_the_classes() -> None:
    tasks = {"rhythm": RHYTHM, "form": FORM}
    assert find_task("it", tasks, "form + rhythm").classes[:3] == ("form:SR", "form:LVOLT", "form:PVC")
    assert find_task("it", tasks, "form") is FORM


def test_a_joint_task_has_likelihoods_where_all_have() -> None:
    soft = Task("form", FORM.classes, FORM.labels, FORM.listed, likelihoods=FORM.labels / 2)
    assert joined([RHYTHM, soft]).likelihoods is None
    again = Task("again", soft.classes, soft.labels, soft.listed, likelihoods=soft.labels / 4)
    likelihoods = joined([soft, again]).likelihoods
    assert likelihoods is not None
    np.testing.assert_array_equal(likelihoods[1], [0, 0.5, 0.5, 0, 0.25, 0.25])
    assert np.isnan(likelihoods[0]).all()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("rhythm+fomr", 'it has no task "fomr". Nearest: "form".'),
        ("form+form", 'task "form+form" names "form" twice; name each task once.'),
        ("rhythm+", 'it has no task "". '),
    ],
)
def test_names_that_join_nothing_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(WrongRequest, match=f"^{sentence.replace('+', '[+]')}"):
        find_task("it", {"rhythm": RHYTHM, "form": FORM}, name)


def test_a_label_may_be_unknown_in_a_joint_task_only() -> None:
    labels: Any = [[np.nan]]
    with pytest.raises(WrongRequest, match="labels other than 0 and 1"):
        Task("rhythm", ("SR",), labels, [True])


def test_columns_are_told_by_the_names_of_the_classes() -> None:
    both = joined([RHYTHM, FORM])
    assert columns_by_task(both.name, both.classes) == {"rhythm": slice(0, 2), "form": slice(2, 5)}
    assert columns_by_task("form", FORM.classes) == {"form": slice(0, 3)}
    assert own_class("form", "form:PVC") == "PVC"
    assert part_names("a + b+c") == ("a", "b", "c")


def test_a_plain_task_may_have_a_plus_in_its_name() -> None:
    plain = Task("AF+RBBB", ("AF+RBBB",), [[1], [0], [0]], [True] * 3)
    assert find_task("it", {"AF+RBBB": plain}, "AF+RBBB") is plain
    assert not plain.is_joint
