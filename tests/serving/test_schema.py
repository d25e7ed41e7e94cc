"""The service keeps to its own OpenAPI document, whatever it is sent."""

import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.serving.conftest import make, served

from ecgenough.serving.door import UPLOADS
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app


def test_schemathesis_finds_no_answer_that_the_document_does_not_know(tmp_path: Path) -> None:
    """The command of docs/service.md, with few examples; it writes to the folder it runs in."""
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    door, _ = build_app(make(), "small", Limits(readers=1, upload=2**20))
    with served(door) as address:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}openapi.json"]
        options = ["--exclude-checks", "positive_data_acceptance", "--max-examples", "5", "--seed", "1"]
        done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "Tested: 7" in done.stdout


def test_all_that_takes_recordings_is_held_to_multipart() -> None:
    door, _ = build_app(make(), "small", Limits(readers=1))
    with TestClient(door) as client:
        paths = client.get("/openapi.json").json()["paths"]
        assert {path for path, ways in paths.items() if "post" in ways} == set(UPLOADS)
        assert client.post("/v1/model").status_code == 405
