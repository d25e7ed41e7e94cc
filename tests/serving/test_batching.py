"""Batches: every question gets its own answer, together with those that waited beside it."""

import threading
from collections.abc import Sequence

import pytest

from ecgenough.serving.batching import Batcher


def test_what_waits_is_answered_together_and_each_gets_its_own() -> None:
    begun, go, sizes = threading.Event(), threading.Event(), []

    def squares(numbers: Sequence[int]) -> list[int | Exception]:
        begun.set()
        go.wait(5)
        return [number * number for number in numbers]

    batcher: Batcher[int, int] = Batcher(squares, largest=4, seen=sizes.append)
    first = batcher.ask(0)
    assert begun.wait(5)
    later = [batcher.ask(number) for number in range(1, 7)]
    go.set()
    assert [first.result(5), *(future.result(5) for future in later)] == [0, 1, 4, 9, 16, 25, 36]
    assert sizes == [1, 4, 2]
    batcher.close()


def test_one_error_is_its_own_and_a_broken_answer_is_everyone_s() -> None:
    def halves(numbers: Sequence[int]) -> list[int | Exception]:
        if 13 in numbers:
            raise RuntimeError("all of it")
        return [ValueError("odd") if number % 2 else number // 2 for number in numbers]

    batcher: Batcher[int, int] = Batcher(halves, largest=8, seen=lambda _: None)
    assert batcher.ask(8).result(5) == 4
    with pytest.raises(ValueError, match="odd"):
        batcher.ask(7).result(5)
    with pytest.raises(RuntimeError, match="all of it"):
        batcher.ask(13).result(5)
    assert batcher.ask(2).result(5) == 1
    batcher.close()


def test_closing_answers_what_waits_and_a_cancelled_question_costs_nothing() -> None:
    asked: list[int] = []

    def note(numbers: Sequence[int]) -> list[int | Exception]:
        asked.extend(numbers)
        return list(numbers)

    go = threading.Event()
    batcher: Batcher[int, int] = Batcher(note, largest=2, seen=lambda _: go.wait(5))
    futures = [batcher.ask(number) for number in range(5)]
    assert futures[4].cancel()
    go.set()
    batcher.close()
    assert [future.result(0) for future in futures[:4]] == [0, 1, 2, 3]
    assert asked == [0, 1, 2, 3]
