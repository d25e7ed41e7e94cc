"""`POST /v1/explain`: what an answer rests on, as numbers or as a drawing."""

from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import FastAPI, Form, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ecgenough.serving.answering import Service
from ecgenough.serving.answers import ExplainAnswer, described
from ecgenough.serving.explanation import Explanation, Question, can_explain
from ecgenough.serving.explanation_files import as_png, draw_explanation
from ecgenough.serving.requests import Files, Layout

SVG, PNG = "image/svg+xml", "image/png"
Method = Annotated[Literal["integrated-gradients", "grad-cam", "occlusion"], Form()]
Label = Annotated[str | None, Form(alias="class", max_length=400, description="The likeliest class unless told.")]
Task = Annotated[str | None, Form(max_length=400, description="Of a model that answers several tasks, only this one.")]


def add_explanation(app: FastAPI, service: Service) -> None:
    """Explanations pass through a queue of their own, one after the other, so that predictions need not wait for them."""
    refusals = described(400, 401, 408, 413, 422, 429, 500, 501, 503)
    pictures: dict[int | str, dict[str, Any]] = {200: {"content": {SVG: {}, PNG: {}}}}

    @app.post("/v1/explain", responses={**pictures, **refusals}, response_model=ExplainAnswer)
    async def explain(
        request: Request,
        files: Files,
        layout: Layout,
        label: Label = None,
        task: Task = None,
        method: Method = "integrated-gradients",
    ) -> Response:
        """How much each sample of one recording speaks for or against a class. As a drawing on ECG paper where the request
        accepts image/svg+xml or image/png.
        """
        _check_possible(service)
        file, ecg = await service.read_one(files, layout)
        found = await service.explain(Question(ecg, task, label, method))
        content, kind = await anyio.to_thread.run_sync(
            _written, request.headers.get("accept", ""), file, service.name, found
        )
        return Response(content, media_type=kind)


def _check_possible(service: Service) -> None:
    if not can_explain():
        raise HTTPException(501, "explaining needs the extra explain: pip install 'ecgenough[explain]'.")
    if service.explainer.length >= service.limits.explaining:
        raise HTTPException(429, "too many explanations wait; ask again in some seconds.", {"retry-after": "5"})


def _written(accepted: str, file: str, model: str, found: Explanation) -> tuple[str | bytes, str]:
    """The answer in the first form that is accepted, JSON unless a drawing is; and its media type."""
    if SVG in accepted:
        return draw_explanation(found), SVG
    if PNG in accepted:
        return as_png(draw_explanation(found)), PNG
    return ExplainAnswer.of(file, model, found).model_dump_json(by_alias=True), "application/json"
