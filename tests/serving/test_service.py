"""The HTTP service: right answers, every limit with its status, nothing kept."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from ecgenough import formats
from ecgenough.model import Model, weights_digest
from ecgenough.serving.answering import Service
from ecgenough.serving.answers import PredictAnswer
from ecgenough.serving.door import Door
from ecgenough.serving.fhir import diagnostic_report
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app

Upload = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture(scope="module")
def served(trained: Path) -> Iterator[tuple[Door, Service, TestClient]]:
    digest = weights_digest(trained)
    door, service = build_app(Model.load(trained), "tiny", Limits(readers=1, upload=2**20), weights_sha256=digest)
    with TestClient(door) as client:
        yield door, service, client


@pytest.fixture(scope="module")
def headers(simulated: Path) -> list[Path]:
    return sorted((simulated / "superclasses").rglob("*.hea"))[:12]


def _files(*headers: Path) -> Upload:
    parts = [part for header in headers for part in (header, header.with_suffix(".dat"))]
    return [("files", (part.name, part.read_bytes())) for part in parts]


def test_the_answer_is_the_model_s_own(served: tuple[Door, Service, TestClient], headers: list[Path]) -> None:
    _, service, client = served
    answer = client.post("/v1/predict", files=_files(*headers[:3]))
    assert answer.status_code == 200
    assert PredictAnswer(**answer.json()).model_dump() == answer.json()
    records = answer.json()["records"]
    assert [record["file"] for record in records] == [header.name for header in headers[:3]]
    for record, header in zip(records, headers, strict=False):
        expected = service.model.predict(formats.read(header))
        said = [one["probability"] for one in record["classes"]]
        assert said == pytest.approx(expected.probabilities, abs=1e-5)
        assert [one["name"] for one in record["classes"]] == list(expected.classes)
        assert [one["call"] for one in record["classes"]] == [
            p >= t for p, t in zip(said, expected.thresholds, strict=True)
        ]


def test_one_bad_file_does_not_spoil_the_others(served: tuple[Door, Service, TestClient], headers: list[Path]) -> None:
    client = served[2]
    answer = client.post("/v1/predict", files=[*_files(headers[0]), ("files", ("bad.hea", b"not a header"))])
    assert answer.status_code == 200
    good, bad = answer.json()["records"]
    assert good["error"] is None
    assert "bad.hea" in bad["error"]
    assert bad["classes"] == []
    alone = client.post("/v1/predict", files=[("files", ("bad.hea", b"not a header"))])
    assert alone.status_code == 422
    assert "bad.hea" in alone.json()["detail"]


def test_fhir_is_answered_where_it_is_accepted(
    served: tuple[Door, Service, TestClient], trained: Path, headers: list[Path]
) -> None:
    _, service, client = served
    accept = {"accept": "application/fhir+json"}
    answer = client.post("/v1/predict", files=_files(headers[0]), headers=accept)
    assert answer.headers["content-type"] == "application/fhir+json"
    ecg, network = formats.read(headers[0]), service.model.recipe.network.name
    expected = diagnostic_report(service.model.predict(ecg), ecg, network)
    assert answer.json()["conclusion"] == expected["conclusion"]
    assert answer.json()["status"] == "preliminary"
    device, digest = answer.json()["contained"][0], weights_digest(trained)
    assert [one["value"] for one in device["identifier"]] == [digest]
    assert client.get("/v1/model").json()["weights_sha256"] == digest
    two = client.post("/v1/predict", files=_files(*headers[:2]), headers=accept).json()
    assert (two["resourceType"], len(two["entry"])) == ("Bundle", 2)
    spoilt = [*_files(headers[0]), ("files", ("bad.hea", b"not a header"))]
    assert client.post("/v1/predict", files=spoilt, headers=accept).status_code == 422


def test_an_ecg_comes_back_as_it_was_read(served: tuple[Door, Service, TestClient], headers: list[Path]) -> None:
    answer = served[2].post("/v1/ecg", files=_files(headers[0])).json()
    ecg = formats.read(headers[0])
    assert answer["leads"] == list(ecg.leads)
    assert answer["rate"] == ecg.rate
    assert [lead[100] for lead in answer["microvolts"]] == [round(1000 * float(v)) for v in ecg.signal[:, 100]]
    assert 20 < answer["measurements"]["rate"] < 250


@pytest.mark.parametrize(
    ("files", "status", "sentence"),
    [
        ([], 400, "files"),
        ([("files", ("../..", b"x"))], 400, "file's name"),
        ([("files", ("a.csv", b"1,2\n3,4\n"))], 422, "state its rate"),
        ([("files", ("page.dcm", b"<!doctype html><html></html>"))], 422, "page.dcm"),
        ([("files", ("empty.hea", b""))], 422, "empty.hea"),
        ([("files", ("big.dat", bytes(2**20 + 1)))], 413, "1 MiB at most"),
        ([("files", (f"{n}.hea", b"")) for n in range(65)], 400, "64 at most"),
    ],
)
def test_a_wrong_upload_gets_its_status_and_one_sentence(
    served: tuple[Door, Service, TestClient], files: Upload, status: int, sentence: str
) -> None:
    answer = served[2].post("/v1/predict", files=files or None)
    assert answer.status_code == status, answer.text
    assert sentence in answer.json()["detail"]


def test_a_body_without_a_length_is_cut_off_where_it_grows_too_large(
    served: tuple[Door, Service, TestClient],
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.dat"\r\n\r\n'
        for _ in range(40):
            yield bytes(2**16)
        yield b"\r\n--x--\r\n"

    answer = served[2].post(
        "/v1/predict", content=chunks(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 413


def test_a_table_is_read_as_its_fields_say(served: tuple[Door, Service, TestClient], headers: list[Path]) -> None:
    ecg = formats.read(headers[0])
    text = "\n".join(",".join(f"{1000 * value:.3f}" for value in row) for row in ecg.signal.T)
    told = {"rate": "500", "unit": "uV", "leads": ",".join(ecg.leads), "orientation": "samples-by-leads"}
    answer = served[2].post("/v1/ecg", files=[("files", ("a.csv", text.encode()))], data=told)
    assert answer.status_code == 200, answer.text
    assert answer.json()["microvolts"][1][7] == round(1000 * float(ecg.signal[1, 7]))


@pytest.mark.parametrize("route", ["/v1/ecg", "/v1/predict", "/v1/explain"])
def test_headings_and_an_index_of_a_table_are_skipped(
    served: tuple[Door, Service, TestClient], headers: list[Path], route: str
) -> None:
    ecg = formats.read(headers[0])
    rows = [",".join([str(number), *(f"{value:.3f}" for value in row)]) for number, row in enumerate(ecg.signal.T)]
    text = "\n".join(["made by hand", "sample," + ",".join(ecg.leads), *rows])
    upload = [("files", ("a.csv", text.encode()))]
    told = {"rate": "500", "unit": "mV", "leads": ",".join(ecg.leads), "orientation": "samples-by-leads"}
    client = served[2]
    answer = client.post(route, files=upload, data={**told, "skip_rows": "2", "skip_columns": "1"})
    assert answer.status_code == 200, answer.text
    if route == "/v1/ecg":
        assert answer.json()["microvolts"][1][7] == round(1000 * float(ecg.signal[1, 7]))
    whole = client.post(route, files=upload, data={**told, "skip_columns": "1"})
    assert (whole.status_code, "skip_rows" in whole.json()["detail"]) == (422, True)
    for field, wrong in (("skip_rows", "-1"), ("skip_columns", "1.5")):
        refused = client.post(route, files=upload, data={**told, field: wrong})
        assert (refused.status_code, refused.json()["detail"].startswith(f"{field}: ")) == (400, True)
    half = client.post(route, files=upload, data={"skip_rows": "2"})
    assert (half.status_code, "needs all of rate" in half.json()["detail"]) == (400, True)


def test_too_many_requests_late_ones_and_those_while_draining_are_refused(
    served: tuple[Door, Service, TestClient], headers: list[Path]
) -> None:
    door, service, client = served
    limits = door.limits
    try:
        door.limits = replace(limits, waiting=0)
        busy = client.post("/v1/predict", files=_files(headers[0]))
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
        door.limits = replace(limits, answer=1e-4)
        assert client.post("/v1/predict", files=_files(headers[0])).status_code == 408
        door.limits, service.state.draining = limits, True
        assert client.post("/v1/predict", files=_files(headers[0])).status_code == 503
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
    finally:
        door.limits, service.state.draining = limits, False
    assert client.post("/v1/predict", files=_files(headers[0])).status_code == 200


def test_a_token_is_asked_for_where_one_is_set(
    served: tuple[Door, Service, TestClient],
) -> None:
    door, _, client = served
    door.token = "a-long-enough-secret"
    try:
        assert client.get("/v1/model").status_code == 401
        assert client.get("/v1/model", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/v1/model", headers={"authorization": f"Bearer {door.token}"}).json()["name"] == "tiny"
        assert client.get("/healthz").status_code == 200
    finally:
        door.token = None


def test_the_origin_names_models_without_the_folders_they_lie_in(
    served: tuple[Door, Service, TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, service, client = served
    carried = {"source": "/home/anna/runs/base", "source_weights": "12ab", "epoch": 3}
    taught = {"source": None, "teachers": {"/data/a/model": "34cd", "../b/model/": "56ef", "ptbxl-base": "78ab"}}
    origin = {"members": {"runs/first": carried, "./taught": taught}}
    monkeypatch.setattr(service, "model", replace(service.model, origin=origin))
    assert client.get("/v1/model").json()["origin"] == {
        "members": {
            "first": {"source": "base", "source_weights": "12ab", "epoch": 3},
            "taught": {"source": None, "teachers": {"model": "34cd", "model (2)": "56ef", "ptbxl-base": "78ab"}},
        }
    }
    assert service.model.origin == origin


def test_nothing_of_an_upload_stays_and_the_log_names_no_one(
    served: tuple[Door, Service, TestClient], headers: list[Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert served[2].post("/v1/predict", files=_files(headers[0])).status_code == 200
    assert list(tmp_path.iterdir()) == []
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(entry["route"], entry["status"]) for entry in logged] == [("/v1/predict", 200)]
    assert headers[0].stem not in json.dumps(logged)


def test_many_at_once_get_their_own_answers(
    served: tuple[Door, Service, TestClient], trained: Path, headers: list[Path]
) -> None:
    model = Model.load(trained)
    expected = {header.name: model.predict(formats.read(header)).probabilities for header in headers}

    async def ask(client: httpx.AsyncClient, header: Path) -> dict[str, Any]:
        answer = await client.post("/v1/predict", files=_files(header), timeout=60)
        record: dict[str, Any] = answer.json()["records"][0]
        return record

    async def ask_all() -> list[dict[str, Any]]:
        transport = httpx.ASGITransport(app=served[0])
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await asyncio.gather(*(ask(client, header) for header in headers * 3))

    for record in asyncio.run(ask_all()):
        said = [one["probability"] for one in record["classes"]]
        assert said == pytest.approx(expected[record["file"]], abs=1e-5)


def test_prometheus_and_the_document_know_the_routes(served: tuple[Door, Service, TestClient]) -> None:
    client = served[2]
    routes = client.get("/openapi.json").json()["paths"]
    assert {"/v1/predict", "/v1/ecg", "/v1/model", "/healthz", "/readyz", "/metrics"} <= set(routes)
    said = client.get("/metrics").text
    assert "ecgenough_batch_ecgs_bucket" in said
    assert 'route="/v1/predict",status="200"' in said


def test_a_process_that_is_told_to_end_ends_well(trained: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ecgenough", "serve", str(trained), "--port", str(port)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        assert httpx.get(f"http://127.0.0.1:{port}/v1/model").json()["weights_sha256"] == weights_digest(trained)
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=60)[1]
    finally:
        running.kill()
    assert running.returncode == 0, said
    assert "Traceback" not in said
