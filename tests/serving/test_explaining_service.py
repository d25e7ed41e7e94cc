"""`POST /v1/explain`: the explanation's own numbers, drawings, refusals, and a queue beside that of predictions."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.serving.conftest import make

from ecgenough import formats
from ecgenough.model import Model
from ecgenough.serving import answering, explanation_routes
from ecgenough.serving.answering import Service
from ecgenough.serving.door import Door
from ecgenough.serving.explanation import Explanation, Question, explain
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app

Upload = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Door, Service, TestClient]]:
    door, service = build_app(make(), "small", Limits(readers=1, upload=2**20))
    with TestClient(door) as client:
        yield door, service, client


@pytest.fixture(scope="module")
def upload(simulated: Path) -> Upload:
    header = sorted((simulated / "superclasses").rglob("*.hea"))[0]
    return [("files", (part.name, part.read_bytes())) for part in (header, header.with_suffix(".dat"))]


@pytest.fixture(scope="module")
def header(simulated: Path) -> Path:
    return sorted((simulated / "superclasses").rglob("*.hea"))[0]


@pytest.mark.parametrize("method", ["integrated-gradients", "grad-cam", "occlusion"])
def test_the_numbers_are_the_explanation_s_own_at_the_model_s_rate(
    served: tuple[Door, Service, TestClient], upload: Upload, header: Path, method: str
) -> None:
    answer = served[2].post("/v1/explain", files=upload, data={"class": "MI", "method": method})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    expected = explain(served[1].model, formats.read(header), "MI", method)
    relevance = np.array(told["relevance"])
    assert (told["class"], told["method"], told["rate"], told["seconds"]) == ("MI", method, 100.0, 10.0)
    assert relevance.shape == (12, 1000)
    np.testing.assert_allclose(relevance, expected.course, rtol=1e-3, atol=1e-6)
    assert np.abs(told["shade"]).max() == 1
    if method == "integrated-gradients":
        assert relevance.sum() == pytest.approx(told["logit"] - told["logit_of_silence"], rel=0.05, abs=2e-3)
        assert sum(told["lead_sums"].values()) == pytest.approx(told["sum"], rel=1e-6)
        assert sum(told["wave_sums"].values()) == pytest.approx(told["sum"], rel=1e-6)
    assert told["part"] is None
    assert "not a cause" in told["notice"]


def test_of_a_long_recording_it_is_told_which_part_is_explained(
    served: tuple[Door, Service, TestClient], header: Path
) -> None:
    ecg, held = formats.read(header), io.BytesIO()
    np.savez(held, signal=np.tile(ecg.signal, 3), rate=ecg.rate, unit="mV", leads=ecg.leads)
    long = [("files", ("long.npz", held.getvalue()))]
    answer = served[2].post("/v1/explain", files=long, data={"method": "grad-cam"})
    assert answer.json()["part"] == "its first 10 s"


@pytest.mark.parametrize(("kind", "begin"), [("image/svg+xml", b"<svg "), ("image/png", b"\x89PNG")])
def test_a_drawing_is_answered_where_it_is_accepted(
    served: tuple[Door, Service, TestClient], upload: Upload, kind: str, begin: bytes
) -> None:
    answer = served[2].post("/v1/explain", files=upload, data={"method": "grad-cam"}, headers={"accept": kind})
    assert answer.headers["content-type"].startswith(kind)
    assert answer.content.startswith(begin)


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        ({"class": "MII"}, 400, 'class "MII" is not one of this model. Nearest: "MI"'),
        ({"task": "rythm"}, 400, 'no task "rythm"'),
        ({"method": "gradcam"}, 400, "method"),
    ],
)
def test_a_wrong_question_gets_its_sentence(
    served: tuple[Door, Service, TestClient], upload: Upload, data: dict[str, str], status: int, sentence: str
) -> None:
    answer = served[2].post("/v1/explain", files=upload, data=data)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]


def test_two_recordings_and_broken_ones_are_refused(served: tuple[Door, Service, TestClient], upload: Upload) -> None:
    two = [*upload, ("files", ("bad.dcm", b"<html></html>"))]
    assert served[2].post("/v1/explain", files=two).status_code == 400
    assert served[2].post("/v1/explain", files=two[2:]).status_code == 422


def test_limits_hold_here_too(
    served: tuple[Door, Service, TestClient], upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, service, client = served
    limits = door.limits
    try:
        door.limits = replace(limits, answer=1e-4)
        assert client.post("/v1/explain", files=upload).status_code == 408
        door.limits, service.state.draining = limits, True
        assert client.post("/v1/explain", files=upload).status_code == 503
    finally:
        door.limits, service.state.draining = limits, False
    monkeypatch.setattr(explanation_routes, "can_explain", lambda: False)
    answer = client.post("/v1/explain", files=upload)
    assert (answer.status_code, "ecgenough[explain]" in answer.text) == (501, True)


def test_predictions_do_not_wait_for_explanations_and_too_many_of_these_are_refused(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()

    def slowly(model: Model, questions: list[Question]) -> list[Explanation | Exception]:
        begun.set()
        go.wait(20)
        return [explain(model, questions[0].ecg, "MI", "grad-cam")]

    monkeypatch.setattr(answering, "explain_all", slowly)
    door, service = build_app(make(), "small", Limits(readers=1, explaining=1))
    with TestClient(door) as client, ThreadPoolExecutor(2) as threads:

        def ask() -> Any:
            return client.post("/v1/explain", files=upload)

        first = threads.submit(ask)
        assert begun.wait(20)
        second = threads.submit(ask)
        while service.explainer.length < 1:
            pass
        refused = ask()
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert client.post("/v1/predict", files=upload).status_code == 200
        go.set()
        assert [one.result().status_code for one in (first, second)] == [200, 200]
