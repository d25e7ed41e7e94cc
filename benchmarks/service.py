"""The service under load: python -m benchmarks.service MODEL FOLDER [--clients 200] [--seconds 60].

Clients ask without pause for WFDB records of FOLDER; every answer is held against Model.predict on the same file. The
throughput stands beside bulk prediction in one process (reading the files and answering 32 at a time), measured just
before and just after; the server's memory is read while it works.
"""

import argparse
import asyncio
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from ecgenough import formats
from ecgenough.files import write_text
from ecgenough.model import Model

BATCH = 32
PORT = 8917
TOLERANCE = 1e-4
Expected = dict[str, tuple[float, ...]]


def main() -> None:
    asked = _arguments()
    headers = sorted(asked.folder.rglob("*.hea"))[:256]
    expected, before = bulk(asked.model, headers, asked.seconds / 6)
    command = [sys.executable, "-m", "ecgenough", "serve", str(asked.model), "--port", str(PORT)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        answered, lost, wrong, waits, memory = asyncio.run(load(server.pid, headers, expected, asked))
    finally:
        server.terminate()
        server.wait()
    _, after = bulk(asked.model, headers, asked.seconds / 6)
    rate, alone = answered / asked.seconds, (before + after) / 2
    waits.sort()
    lines = [
        f"- Command: `python -m benchmarks.service {Path(asked.model).name} {asked.folder.name} "
        f"--clients {asked.clients} --seconds {asked.seconds:g}`",
        f"- {os.cpu_count()} cores, clients and server on the same ones; {date.today()}; load {os.getloadavg()[0]:.1f}",
        "",
        "| clients | seconds | answered | lost | wrong | ECGs/s | of bulk prediction | median wait | 99% wait | memory MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| {asked.clients} | {asked.seconds:g} | {answered:,} | {lost} | {wrong} | {rate:,.0f} | {rate / alone:.2f} "
        f"({rate / max(before, after):.2f} to {rate / min(before, after):.2f}) | {waits[len(waits) // 2]:.2f} s "
        f"| {waits[int(0.99 * len(waits))]:.2f} s | {memory[len(memory) // 4]:,.0f} to {memory[-1]:,.0f} |",
    ]
    print("\n".join(lines))
    write_text(asked.out, "# The service under load\n\n" + "\n".join(lines) + "\n")


def bulk(model: str, headers: list[Path], seconds: float) -> tuple[Expected, float]:
    """Every record's probabilities, and how many ECGs a second one process reads and answers in batches."""
    loaded, expected, done = Model.load(model), {}, 0
    started = time.perf_counter()
    for turn in itertools.count():
        for first in range(0, len(headers), BATCH):
            part = headers[first : first + BATCH]
            said = loaded.predict_many([formats.read(header) for header in part])
            expected.update({header.name: one.probabilities for header, one in zip(part, said, strict=True)})
            done += len(part)
        if time.perf_counter() - started > seconds and turn:
            return expected, done / (time.perf_counter() - started)
    raise AssertionError


async def load(
    server: int, headers: list[Path], expected: Expected, asked: argparse.Namespace
) -> tuple[int, int, int, list[float], list[float]]:
    """Answered, lost and wrong requests, each answer's seconds, and the server's memory in MB once a second."""
    requests = itertools.cycle([_request(header) for header in headers])
    told, waits, memory = [0, 0, 0], [], []
    await _ready()
    end = time.perf_counter() + asked.seconds

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                writer.write(next(requests))
                record = (await _answer(reader))["records"][0]
            except (OSError, EOFError, KeyError, ValueError):
                told[1] += 1
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
                continue
            said = [one["probability"] for one in record["classes"]]
            apart = max(abs(p - q) for p, q in zip(said, expected[record["file"]], strict=True))
            told[2] += apart > TOLERANCE
            told[0] += 1
            waits.append(time.perf_counter() - started)
        writer.close()

    async def watch() -> None:
        while time.perf_counter() < end:
            memory.append(_resident(server))
            await asyncio.sleep(1)

    await asyncio.gather(watch(), *(ask() for _ in range(asked.clients)))
    return told[0], told[1], told[2], waits, memory


async def _answer(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The JSON of an answer. Raises ValueError for another status than 200, EOFError where the connection ends."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError(head)
    answer: dict[str, Any] = json.loads(body)
    return answer


async def _ready() -> None:
    for _ in range(600):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.write(b"GET /readyz HTTP/1.1\r\nhost: here\r\n\r\n")
            await _answer(reader)
            writer.close()
            return
        except (OSError, ValueError, EOFError):
            await asyncio.sleep(0.1)
    raise SystemExit("the service did not start.")


def _request(header: Path) -> bytes:
    """A whole request as it goes over the wire: made once, so that the clients take little of the machine."""
    files = [("files", (part.name, part.read_bytes())) for part in (header, header.with_suffix(".dat"))]
    made = httpx.Request("POST", f"http://127.0.0.1:{PORT}/v1/predict", files=files)
    body = made.read()
    head = f"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1:{PORT}\r\ncontent-type: {made.headers['content-type']}"
    return f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _resident(process: int) -> float:
    """MB that the server and its readers hold."""
    return sum(_pages(one) for one in (process, *_children(process))) * resource.getpagesize() / 1e6


def _pages(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0


def _children(process: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if entry.read_text().rpartition(")")[2].split()[1] == str(process):
                yield int(entry.parent.name)
        except OSError:
            continue


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a name from `ecgenough models`, or a model's or run's folder")
    parser.add_argument("folder", type=Path, help="of WFDB records")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "service.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
