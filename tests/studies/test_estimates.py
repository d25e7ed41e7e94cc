"""Estimates of time: the arithmetic by hand, and a pace that was really measured."""

import pytest

from ecgenough.recipe import Recipe
from ecgenough.studies.estimates import Pace, estimate, time_steps
from ecgenough.studies.plan import plan_study
from ecgenough.studies.study import Learner, Study


def test_an_estimate_counts_what_is_learned_and_what_is_answered(small_study: Study) -> None:
    plan = plan_study(small_study)
    asked: list[Recipe] = []

    def timed(recipe: Recipe, device: str) -> Pace:  # noqa: ARG001
        asked.append(recipe)
        return Pace(learn=0.01, answer=0.001)

    seconds = estimate(plan, "cpu", timed)
    networks = [cell.fingerprint for cell in plan.cells if cell.kind == "network"]
    # 160 records in 2 folds: 64 learn, 16 choose, 80 test; 2 epochs, 2 crops a record
    assert [seconds[cell] for cell in networks] == pytest.approx([2 * 64 * 0.01 + (2 * 16 + 80) * 2 * 0.001] * 4)
    (source,) = plan.pretrainings
    train, chosen, tested = source.expected
    assert seconds[source.fingerprint] == pytest.approx(2 * train * 0.01 + (2 * chosen + tested) * 2 * 0.001)
    assert len(asked) == 1  # the same steps, from scratch or carried over
    assert set(seconds) == {source.fingerprint, *networks}


def test_a_pace_is_measured(tiny: Recipe) -> None:
    pace = time_steps(tiny, "cpu")
    assert 0 < pace.learn < 10
    assert 0 < pace.answer < 10


def test_trees_take_no_steps_that_could_be_timed(small_study: Study) -> None:
    networks = {**small_study.networks, "trees": Learner(recipe="calipers")}
    plan = plan_study(small_study.model_copy(update={"networks": networks, "sources": {}, "modes": ("scratch",)}))
    trees = {cell.fingerprint for cell in plan.cells if cell.network == "trees"}
    assert trees
    assert trees.isdisjoint(estimate(plan, "cpu", lambda recipe, device: Pace(0.01, 0.001)))  # noqa: ARG005
