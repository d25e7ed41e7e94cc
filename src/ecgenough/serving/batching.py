"""Answering in batches: while the network answers one batch, the next one gathers."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batcher(Generic[Question, Answer]):
    """One thread that answers questions, as many together as wait, `largest` at most.

    `answer_all` gives an answer or an exception for each question of a batch; `seen` is told the size of each batch.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Question]], Sequence[Answer | Exception]],
        largest: int,
        seen: Callable[[int], None],
    ) -> None:
        self._answer_all, self._largest, self._seen = answer_all, largest, seen
        self._waiting: queue.SimpleQueue[tuple[Question, Future[Answer]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> Future[Answer]:
        """The answer to come. A future that is cancelled before its batch begins costs nothing."""
        answer: Future[Answer] = Future()
        self._waiting.put((question, answer))
        return answer

    @property
    def length(self) -> int:
        """How many questions wait."""
        return self._waiting.qsize()

    def close(self) -> None:
        """Answer what waits, then end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        last = False
        while not last:
            first = self._waiting.get()
            gathered = [] if first is None else [first]
            last = first is None
            while not last and len(gathered) < self._largest and not self._waiting.empty():
                another = self._waiting.get()
                last = another is None
                gathered += [] if another is None else [another]
            wanted = [(question, future) for question, future in gathered if future.set_running_or_notify_cancel()]
            if wanted:
                self._answer(wanted)

    def _answer(self, wanted: list[tuple[Question, Future[Answer]]]) -> None:
        self._seen(len(wanted))
        answers: Sequence[Answer | Exception]
        try:
            answers = self._answer_all([question for question, _ in wanted])
        except Exception as error:  # whoever waits must hear of it
            answers = [error] * len(wanted)
        for (_, future), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
