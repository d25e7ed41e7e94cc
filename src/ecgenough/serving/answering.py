"""What answers behind the routes: processes that read, a thread that predicts, and one that explains."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio.to_thread
from fastapi import UploadFile

from ecgenough.ecg import Ecg
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.formats.table import TableLayout
from ecgenough.model import Model, Prediction
from ecgenough.serving.answers import PredictJson
from ecgenough.serving.batching import Batcher
from ecgenough.serving.door import Metrics, State
from ecgenough.serving.explanation import Explanation, Question, explain_all
from ecgenough.serving.limits import Limits
from ecgenough.serving.reading import Readers
from ecgenough.serving.uploads import recordings, save

Read = tuple[str, Ecg | EcgenoughError]  # a file's name, and the recording or why it cannot be read


class Service:
    """A model with the processes that read for it and the threads that answer for it."""

    def __init__(self, model: Model, name: str, limits: Limits, weights_sha256: str = "") -> None:
        self.model, self.name, self.limits, self.weights_sha256 = model, name, limits, weights_sha256
        self.state, self.metrics = State(), Metrics()
        self.json = PredictJson(name, model.classes, model.titles, model.thresholds)
        self.readers = Readers(limits)
        self.batcher: Batcher[Ecg, Prediction] = Batcher(
            partial(answer_all, model), limits.batch, self.metrics.batch.observe
        )
        self.explainer: Batcher[Question, Explanation] = Batcher(partial(explain_all, model), 1, lambda _: None)
        self.metrics.waiting.set_function(lambda: self.batcher.length)
        self.metrics.explanations.set_function(lambda: self.explainer.length)
        self.metrics.in_work.set_function(lambda: self.state.in_work)
        self._reading = anyio.CapacityLimiter(limits.readers)

    async def read_all(self, files: Sequence[UploadFile], layout: TableLayout | None) -> list[Read]:
        """Every recording among uploaded files, or why it cannot be read; nothing of them stays on the disk."""
        if len(files) > self.limits.files:
            raise WrongRequest(f"{len(files)} files were sent; a request may have {self.limits.files} at most.")
        content = [(file.filename or "", await file.read()) for file in files]
        given_up = threading.Event()
        try:
            read: list[Read] = await anyio.to_thread.run_sync(
                self._read, content, layout, given_up, abandon_on_cancel=True, limiter=self._reading
            )
        finally:
            given_up.set()
        return read

    async def read_one(self, files: Sequence[UploadFile], layout: TableLayout | None) -> tuple[str, Ecg]:
        """The one recording among uploaded files. Raises WrongRequest for another number, and what reading it raises."""
        read = await self.read_all(files, layout)
        if len(read) != 1:
            raise WrongRequest(f"{len(read)} recordings were sent; this route reads one.")
        file, found = read[0]
        if isinstance(found, EcgenoughError):
            raise found
        return file, found

    async def answer(self, read: Sequence[Read]) -> list[Prediction | EcgenoughError]:
        """What the model says of each recording, or the error that says why it says nothing."""
        asked = [
            asyncio.wrap_future(self.batcher.ask(ecg)) if isinstance(ecg, Ecg) else _raised(ecg) for _, ecg in read
        ]
        said = await asyncio.gather(*asked, return_exceptions=True)
        return [_said(file, one) for (file, _), one in zip(read, said, strict=True)]

    async def explain(self, question: Question) -> Explanation:
        """What an answer rests on. Raises what `explain` raises."""
        return await asyncio.wrap_future(self.explainer.ask(question))

    def close(self) -> None:
        """Answer what waits and end the processes."""
        self.batcher.close()
        self.explainer.close()
        self.readers.close()

    def _read(
        self, content: Sequence[tuple[str, bytes]], layout: TableLayout | None, given_up: threading.Event
    ) -> list[Read]:
        """In a thread that nobody can stop: once its request is `given_up` it begins no other file."""
        with TemporaryDirectory(prefix="ecgenough-", ignore_cleanup_errors=True) as folder:
            paths = recordings(save(Path(folder), content))
            return [(path.name, _or_error(self.readers.read, path, layout)) for path in paths if not given_up.is_set()]


def answer_all(model: Model, ecgs: Sequence[Ecg]) -> list[Prediction | Exception]:
    """A prediction for each recording; where one of them cannot be used, its error, and the others' predictions."""
    try:
        return list(model.predict_many(ecgs))
    except EcgenoughError as error:
        if len(ecgs) == 1:
            return [error]
        half = len(ecgs) // 2
        return answer_all(model, ecgs[:half]) + answer_all(model, ecgs[half:])


def _said(file: str, said: Prediction | BaseException) -> Prediction | EcgenoughError:
    """The answer, or the error with the name of its file, which the model does not know."""
    if isinstance(said, EcgenoughError):
        return said if file in str(said) else type(said)(f"{file}: {said}")
    if isinstance(said, Prediction):
        return said
    raise said


async def _raised(error: EcgenoughError) -> Prediction:
    raise error


def _or_error(function: Callable[..., Ecg], *arguments: Any) -> Ecg | EcgenoughError:
    try:
        return function(*arguments)
    except EcgenoughError as error:
        return error
