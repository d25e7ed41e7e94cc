"""The HTTP service: files in, probabilities out. One process, one model, nothing kept."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import generate_latest
from starlette.exceptions import HTTPException

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenModel, BrokenRecord, EcgenoughError
from ecgenough.model import Model, Prediction
from ecgenough.serving.answering import Read, Service
from ecgenough.serving.answers import NOTICE, Complaint, EcgAnswer, PredictAnswer, described, without_folders
from ecgenough.serving.door import Door
from ecgenough.serving.explanation import can_explain, methods_of
from ecgenough.serving.explanation_routes import add_explanation
from ecgenough.serving.fhir import bundle, diagnostic_report
from ecgenough.serving.limits import Limits
from ecgenough.serving.page_routes import add_page
from ecgenough.serving.requests import Files, Layout

FHIR = "application/fhir+json"


def build_app(
    model: Model, name: str, limits: Limits | None = None, token: str | None = None, weights_sha256: str = ""
) -> tuple[Door, Service]:
    """The ASGI application and what it is made of. `token`, where given, must come with every request as bearer.

    `weights_sha256` is what answers call the model by for those who keep them.
    """
    limits = limits or Limits()
    # errors go out: without the path of its file
    service = Service(replace(model, name=name), name, limits, weights_sha256)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(service.readers.await_start)
        yield
        await anyio.to_thread.run_sync(service.close)

    app = FastAPI(
        title="ecgenough",
        description=f"What a trained network reads in an ECG. {NOTICE}",
        version="1",
        docs_url=None,  # its pages fetch scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_answers(app, service)
    add_explanation(app, service)
    _add_health(app, service)
    page = add_page(app)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(EcgenoughError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    routes = frozenset(app.openapi()["paths"])
    return Door(app, service.state, service.metrics, limits, token, routes | page, page), service


def _add_answers(app: FastAPI, service: Service) -> None:
    """The routes under /v1: what the model says, and which model that is."""
    refusals = described(400, 401, 408, 413, 422, 429, 500, 503)

    @app.post("/v1/predict", responses={200: {"content": {FHIR: {}}}, **refusals}, response_model=PredictAnswer)
    async def predict(request: Request, files: Files, layout: Layout) -> Response:
        """Probabilities of every class for one recording or many, in any format that ecgenough reads; as FHIR R4 where
        the request accepts application/fhir+json.
        """
        read = await service.read_all(files, layout)
        said = await service.answer(read)
        if FHIR in request.headers.get("accept", ""):
            return _as_fhir(read, said, service)
        errors = [one for one in said if isinstance(one, EcgenoughError)]
        if len(errors) == len(said):
            raise errors[0] if isinstance(errors[0], BrokenModel) else BrokenRecord(str(errors[0]))
        return Response(service.json.of([file for file, _ in read], said), media_type="application/json")

    @app.post("/v1/ecg", responses=refusals)
    async def ecg(files: Files, layout: Layout) -> EcgAnswer:
        """One recording as it was read, in microvolts, with computed measurements."""
        file, found = await service.read_one(files, layout)
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
            "weights_sha256": service.weights_sha256 or None,
            "origin": without_folders(about.origin),
            "explains": list(methods_of(about)) if can_explain() else [],
            "notice": NOTICE,
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


def _as_fhir(read: Sequence[Read], said: Sequence[Prediction | EcgenoughError], service: Service) -> JSONResponse:
    """One DiagnosticReport, or a Bundle of several. Raises the first error: a report cannot say why it is missing."""
    reports, network = [], service.model.recipe.network.name
    for (_, ecg), one in zip(read, said, strict=True):
        if isinstance(one, EcgenoughError):
            raise one
        assert isinstance(ecg, Ecg)  # what was said of
        reports.append(diagnostic_report(one, ecg, network, service.weights_sha256))
    return JSONResponse(reports[0] if len(reports) == 1 else bundle(reports), media_type=FHIR)


async def _on_error(_: Request, error: Exception) -> JSONResponse:
    status = 422 if isinstance(error, BrokenRecord) else 500 if isinstance(error, BrokenModel) else 400
    return JSONResponse(Complaint(detail=str(error)).model_dump(), status)


async def _on_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return JSONResponse(Complaint(detail=f"{where}: {first['msg'].lower()}.").model_dump(), 400)


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(Complaint(detail=str(error.detail)).model_dump(), error.status_code, error.headers)
