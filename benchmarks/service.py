"""The service under load: python -m benchmarks.service MODEL FOLDER [--clients 200] [--seconds 60].

Clients ask without pause for WFDB records of FOLDER; every answer is held against Model.predict on the same file. The
throughput stands beside bulk prediction in one process (reading the files and answering 32 at a time), measured just
before and just after; the server's memory is read while it works.
"""

import argparse
import asyncio
import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

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
        f"- Command: `python -m benchmarks.service {asked.model.name} ... --clients {asked.clients} --seconds {asked.seconds:g}`",
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


def bulk(folder: Path, headers: list[Path], seconds: float) -> tuple[Expected, float]:
    """Every record's probabilities, and how many ECGs a second one process reads and answers in batches."""
    model, expected, done = Model.load(folder), {}, 0
    started = time.perf_counter()
    for turn in itertools.count():
        for first in range(0, len(headers), BATCH):
            part = headers[first : first + BATCH]
            said = model.predict_many([formats.read(header) for header in part])
            expected.update({header.name: one.probabilities for header, one in zip(part, said, strict=True)})
            done += len(part)
        if time.perf_counter() - started > seconds and turn:
            return expected, done / (time.perf_counter() - started)
    raise AssertionError


async def load(
    server: int, headers: list[Path], expected: Expected, asked: argparse.Namespace
) -> tuple[int, int, int, list[float], list[float]]:
    """Answered, lost and wrong requests, each answer's seconds, and the server's memory in MB once a second."""
    uploads = itertools.cycle([_upload(header) for header in headers])
    told, waits, memory = [0, 0, 0], [], []
    limits = httpx.Limits(max_connections=asked.clients)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", timeout=60, limits=limits) as client:
        await _ready(client)
        end = time.perf_counter() + asked.seconds

        async def ask() -> None:
            while time.perf_counter() < end:
                started = time.perf_counter()
                files = next(uploads)
                try:
                    answer = await client.post("/v1/predict", files=files)
                    record = answer.raise_for_status().json()["records"][0]
                except httpx.HTTPError:
                    told[1] += 1
                    continue
                said = [one["probability"] for one in record["classes"]]
                apart = max(abs(p - q) for p, q in zip(said, expected[record["file"]], strict=True))
                told[2] += apart > TOLERANCE
                told[0] += 1
                waits.append(time.perf_counter() - started)

        async def watch() -> None:
            while time.perf_counter() < end:
                memory.append(_resident(server))
                await asyncio.sleep(1)

        await asyncio.gather(watch(), *(ask() for _ in range(asked.clients)))
    return told[0], told[1], told[2], waits, memory


async def _ready(client: httpx.AsyncClient) -> None:
    for _ in range(600):
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise SystemExit("the service did not start.")


def _upload(header: Path) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (part.name, part.read_bytes())) for part in (header, header.with_suffix(".dat"))]


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
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "service.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
