"""The HTTP service: files in, probabilities out. One process, one model, nothing kept."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import generate_latest
from starlette.exceptions import HTTPException

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest
from ecgenough.formats.table import TableLayout, stated_layout
from ecgenough.model import Model, Prediction
from ecgenough.serving.answers import Complaint, EcgAnswer, PredictAnswer, RecordAnswer, described
from ecgenough.serving.batching import Batcher
from ecgenough.serving.door import Door, Metrics, State
from ecgenough.serving.fhir import bundle, diagnostic_report
from ecgenough.serving.limits import Limits
from ecgenough.serving.page_routes import add_page
from ecgenough.serving.reading import Readers
from ecgenough.serving.uploads import recordings, save

Files = Annotated[list[UploadFile], File(min_length=1, description="Recordings; of WFDB, the header and its samples.")]
FHIR = "application/fhir+json"
Rate = Annotated[float | None, Form(gt=0, description="Of a table: Hz.")]
Words = Annotated[str | None, Form(max_length=400)]


class Service:
    """A model with the processes that read for it and the thread that answers for it."""

    def __init__(self, model: Model, name: str, limits: Limits) -> None:
        self.model, self.name, self.limits = model, name, limits
        self.state, self.metrics = State(), Metrics()
        self.readers = Readers(limits)
        self.batcher: Batcher[Ecg, Prediction] = Batcher(
            partial(answer_all, model), limits.batch, self.metrics.batch.observe
        )
        self.metrics.waiting.set_function(lambda: self.batcher.length)
        self.metrics.in_work.set_function(lambda: self.state.in_work)
        self._reading = anyio.CapacityLimiter(limits.readers)

    async def read_all(
        self, files: Sequence[UploadFile], layout: TableLayout | None
    ) -> list[tuple[str, Ecg | EcgenoughError]]:
        """Every recording among uploaded files, or why it cannot be read; nothing of them stays on the disk."""
        if len(files) > self.limits.files:
            raise WrongRequest(f"{len(files)} files were sent; a request may have {self.limits.files} at most.")
        content = [(file.filename or "", await file.read()) for file in files]
        with TemporaryDirectory(prefix="ecgenough-") as folder:
            paths = recordings(await self._elsewhere(save, Path(folder), content))
            read = [await self._elsewhere(_or_error, self.readers.read, path, layout) for path in paths]
        return [(path.name, ecg) for path, ecg in zip(paths, read, strict=True)]

    async def answer(self, read: Sequence[tuple[str, Ecg | EcgenoughError]]) -> list[Prediction | EcgenoughError]:
        """What the model says of each recording, or the error that says why it says nothing."""
        asked = [
            asyncio.wrap_future(self.batcher.ask(ecg)) if isinstance(ecg, Ecg) else _raised(ecg) for _, ecg in read
        ]
        said = await asyncio.gather(*asked, return_exceptions=True)
        return [_said(one) for one in said]

    def close(self) -> None:
        """Answer what waits and end the processes."""
        self.batcher.close()
        self.readers.close()

    async def _elsewhere(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(
            partial(function, *arguments), abandon_on_cancel=True, limiter=self._reading
        )


def answer_all(model: Model, ecgs: Sequence[Ecg]) -> list[Prediction | Exception]:
    """A prediction for each recording; where one of them cannot be used, its error, and the others' predictions."""
    try:
        return list(model.predict_many(ecgs))
    except EcgenoughError as error:
        if len(ecgs) == 1:
            return [error]
        half = len(ecgs) // 2
        return answer_all(model, ecgs[:half]) + answer_all(model, ecgs[half:])


def build_app(model: Model, name: str, limits: Limits | None = None, token: str | None = None) -> tuple[Door, Service]:
    """The ASGI application and what it is made of. `token`, where given, must come with every request as bearer."""
    limits = limits or Limits()
    service = Service(model, name, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(service.readers.await_start)
        yield
        await anyio.to_thread.run_sync(service.close)

    app = FastAPI(
        title="ecgenough",
        description="What a trained network reads in an ECG. Research software, not a medical device.",
        version="1",
        docs_url=None,  # its pages fetch scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_answers(app, service)
    _add_health(app, service)
    page = add_page(app)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(EcgenoughError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    routes = frozenset(app.openapi()["paths"])
    return Door(app, service.state, service.metrics, limits, token, routes | page, page), service


def _add_answers(app: FastAPI, service: Service) -> None:
    """The routes under /v1: what the model says, and which model that is."""
    refusals = described(400, 401, 408, 413, 422, 429, 503)

    @app.post("/v1/predict", responses={200: {"content": {FHIR: {}}}, **refusals}, response_model=PredictAnswer)
    async def predict(
        request: Request,
        files: Files,
        rate: Rate = None,
        unit: Words = None,
        leads: Words = None,
        orientation: Words = None,
    ) -> PredictAnswer | JSONResponse:
        """Probabilities of every class for one recording or many, in any format that ecgenough reads; as FHIR R4 where
        the request accepts application/fhir+json.
        """
        read = await service.read_all(files, stated_layout(rate, unit, leads, orientation))
        said = await service.answer(read)
        if FHIR in request.headers.get("accept", ""):
            return _as_fhir(read, said, service.model.recipe.network.name)
        records = [_record(file, one) for (file, _), one in zip(read, said, strict=True)]
        if all(record.error for record in records):
            raise BrokenRecord(records[0].error or "")
        return PredictAnswer(model=service.name, records=records)

    @app.post("/v1/ecg", responses=refusals)
    async def ecg(
        files: Files, rate: Rate = None, unit: Words = None, leads: Words = None, orientation: Words = None
    ) -> EcgAnswer:
        """One recording as it was read, in microvolts, with computed measurements."""
        read = await service.read_all(files, stated_layout(rate, unit, leads, orientation))
        if len(read) != 1:
            raise WrongRequest(f"{len(read)} recordings were sent; this route reads one.")
        file, found = read[0]
        if isinstance(found, EcgenoughError):
            raise found
        answer: EcgAnswer = await anyio.to_thread.run_sync(EcgAnswer.of, file, found)
        return answer

    @app.get("/v1/model", responses=described(401, 429, 503))
    async def model() -> dict[str, Any]:
        """Which model answers: its task, classes, thresholds, leads, rate and origin."""
        about = service.model
        classes = zip(about.classes, about.titles, about.thresholds, strict=True)
        return {
            "name": service.name,
            "task": about.task,
            "classes": [{"name": name, "title": title, "threshold": threshold} for name, title, threshold in classes],
            "leads": about.recipe.signal.leads,
            "rate": about.recipe.signal.rate,
            "network": about.recipe.network.name,
            "origin": dict(about.origin),
            "notice": "Research software, not a medical device.",
        }


def _add_health(app: FastAPI, service: Service) -> None:
    """What machines ask: whether the process is alive and ready, and Prometheus' figures."""

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "alive"}

    @app.get("/readyz", responses=described(503))
    async def readyz() -> dict[str, str]:
        """Whether it takes requests."""
        if service.state.draining:
            raise HTTPException(503, "the service is shutting down.")
        return {"status": "ready"}

    @app.get("/metrics", response_class=PlainTextResponse, responses=described(401, 429, 503))
    async def metrics() -> PlainTextResponse:
        """Figures for Prometheus."""
        return PlainTextResponse(generate_latest(service.metrics.registry), media_type="text/plain; version=0.0.4")


def _said(said: Prediction | BaseException) -> Prediction | EcgenoughError:
    if isinstance(said, Prediction | EcgenoughError):
        return said
    raise said


def _record(file: str, said: Prediction | EcgenoughError) -> RecordAnswer:
    return RecordAnswer.of(file, said) if isinstance(said, Prediction) else RecordAnswer(file=file, error=str(said))


def _as_fhir(
    read: Sequence[tuple[str, Ecg | EcgenoughError]], said: Sequence[Prediction | EcgenoughError], network: str
) -> JSONResponse:
    """One DiagnosticReport, or a Bundle of several. Raises the first error: a report cannot say why it is missing."""
    reports = []
    for (_, ecg), one in zip(read, said, strict=True):
        if isinstance(one, EcgenoughError):
            raise one
        assert isinstance(ecg, Ecg)  # what was said of
        reports.append(diagnostic_report(one, ecg, network))
    return JSONResponse(reports[0] if len(reports) == 1 else bundle(reports), media_type=FHIR)


async def _raised(error: EcgenoughError) -> Prediction:
    raise error


def _or_error(function: Callable[..., Ecg], *arguments: Any) -> Ecg | EcgenoughError:
    try:
        return function(*arguments)
    except EcgenoughError as error:
        return error


async def _on_error(_: Request, error: Exception) -> JSONResponse:
    status = 422 if isinstance(error, BrokenRecord) else 400
    return JSONResponse(Complaint(detail=str(error)).model_dump(), status)


async def _on_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return JSONResponse(Complaint(detail=f"{where}: {first['msg'].lower()}.").model_dump(), 400)


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(Complaint(detail=str(error.detail)).model_dump(), error.status_code, error.headers)
