"""The service: bodies of POST /v1/predict through the whole ASGI application, in this process."""

import contextlib
import io
import tempfile
from pathlib import Path

from starlette.testclient import TestClient

from benchmarks.harnesses.harness import Harness
from benchmarks.harnesses.models import small_model
from benchmarks.samples import sample
from ecgenough.errors import BrokenRecord
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app

BOUNDARY = b"----b0undary"
STATUSES = (400, 408, 413, 422, 429)
Parts = list[tuple[str, bytes]]


def uploads(folder: Path) -> Harness:
    """Damaged bodies: a file, a table with its fields, odd names, many parts."""
    tempfile.tempdir = str(folder)
    door, _ = build_app(small_model("eegnet", {}), "small", Limits(readers=1, upload=1 << 20))
    client = TestClient(door)
    client.__enter__()  # for as long as the process lives
    held: list[bytes] = []

    def put(content: bytes) -> None:
        held[:] = [content]

    return Harness("service", tuple(_seeds()), put, lambda: post(client, held[0]), names=("",), writing=True)


def post(client: TestClient, body: bytes, route: str = "/v1/predict") -> str:
    """Send a body as multipart/form-data. Raises BrokenRecord with the sentence of a refusal.

    Anything but an answer or a sentence with a status that says whose fault it was is an AssertionError.
    """
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    with contextlib.redirect_stderr(io.StringIO()):  # the log
        answer = client.post(route, content=body, headers=kind)
    said = answer.json()
    if answer.status_code == 200:
        errors = [one["error"] for one in said["records"] if one["error"]]
        assert not any("cannot be read (" in error for error in errors), errors
        return f"{len(said['records'])} records"
    assert answer.status_code in STATUSES, (answer.status_code, said)
    assert "cannot be read (" not in said["detail"], said["detail"]
    raise BrokenRecord(said["detail"])


def multipart(parts: Parts) -> bytes:
    """Parts, each with its header's parameters and its content, as one body."""
    written = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (BOUNDARY, header.encode(), content)
        for header, content in parts
    )
    return written + b"--%s--\r\n" % BOUNDARY


def _seeds() -> list[bytes]:
    table: Parts = [
        ("name=rate", b"100"),
        ("name=unit", b"mV"),
        ("name=leads", b"I,II"),
        ("name=orientation", b"samples-by-leads"),
    ]
    return [
        multipart([('name="files"; filename="a.scp"', sample("scp", 600)[0])]),
        multipart([('name="files"; filename="a.csv"', b"0.1,0.2\n" * 300), *table]),
        multipart(
            [('name="files"; filename="a.hea"', b"a 1 500 4\na.dat 16\n"), ('name="files"; filename="a.dat"', bytes(8))]
        ),
        multipart([('name="files"; filename="../../x.hea"', b"x 1 500 10\n../../../etc/passwd 8\n")]),
        multipart([("name=\"files\"; filename*=utf-8''%e5%bf%83.xml", b"<RestingECG/>")]),
        multipart([("name=files", b"no file")] * 70),
        b"--%s\r\n%s: form-data\r\n" % (BOUNDARY, b"x" * 5000),
        b"\r\n" * 2000 + b"--" + BOUNDARY,
    ]
