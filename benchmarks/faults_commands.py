"""The commands that are disturbed: what each is given, what it is asked, and what of its output must be the same again."""

import csv
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from ecgenough.recipe import Recipe
from ecgenough.simulation import simulate_collection
from ecgenough.studies import runs
from ecgenough.studies.stores import open_store

RECIPE = """
signal: {rate: 100, duration: 10}
crop: {seconds: 2.56, evaluation: mean, crops: 2}
augmentation: {of: [{kind: circular-shift}, {kind: lead-dropout}]}
network: {name: resnet18, options: {width: 4}}
optimizer: {learning_rate: 0.003}
training: {epochs: 3, batch: 32, ema: 0.9, select: last}
"""
SPACE = "optimizer.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}\n"
STUDY = """
sources: {super: {data: simulated, folder: super}}
targets: {pe: {data: simulated, folder: pe}}
networks: {tiny: {recipe: tiny.yaml, set: {training.epochs: 1}}}
modes: [scratch, frozen]
resampling: {kind: k-fold, folds: 2}
baselines: [prevalence]
"""
_LOCKS = (".lock", ".fetch.lock", ".version")
_VARYING = {"seconds", "ecgs_per_second", "folder", "environment"}  # keys and columns: times, and which attempt it was


@dataclass(frozen=True)
class Command:
    """What is asked; `inputs` is copied for it, `sources` are the files in there that may vanish or be spoilt."""

    name: str
    arguments: tuple[str, ...]
    inputs: tuple[str, ...]
    sources: tuple[str, ...]
    results: tuple[str, ...] = ("**/*",)
    address: str = ""


def commands(address: str) -> dict[str, Command]:
    """By name; `address` is where files are fetched from."""
    training = ("--out", "out", "--device", "cpu")
    carried = ("--set", "training.epochs=2", "--set", "training.batch=32", "--set", "training.select=last")
    searched = ("--space", "space.yaml", "--trials", "2", "--sampler", "random")
    stored = ("stores/*/signals.i16", "stores/*/table.npz", "stores/*/store.json")
    told = (
        Command(
            "prepare",
            ("prepare", "simulated", "--from", "super", "--store", "out", "--recipe", "tiny.yaml", "--workers", "2"),
            ("super", "tiny.yaml"),
            ("super/**/*.dat", "super/**/*.hea", "super/*.csv"),
        ),
        Command(
            "train",
            ("train", "simulated", "--from", "super", "--store", "stores", "--recipe", "tiny.yaml", *training),
            ("super", "stores", "tiny.yaml"),
            (*stored, "super/**/*.dat"),
        ),
        Command(
            "transfer",
            (
                "transfer",
                "source",
                "simulated",
                "--from",
                "pe",
                "--store",
                "stores",
                "--mode",
                "full",
                *training,
                *carried,
            ),
            ("source", "pe", "stores"),
            (*stored, "source/model/*", "pe/**/*.dat"),
        ),
        Command(
            "study",
            ("study", "study.yaml", "--out", "out", "--store", "stores", "--device", "cpu", "--jobs", "1"),
            ("super", "pe", "stores", "tiny.yaml", "study.yaml"),
            (*stored, "pe/**/*.dat", "tiny.yaml"),
            ("cells.csv", "cells/*/*", "verdict.json", "tables/*", "**/*.part"),
        ),
        Command(
            "tune",
            (
                "tune",
                "simulated",
                "--from",
                "super",
                "--store",
                "stores",
                "--recipe",
                "tiny.yaml",
                *training,
                *searched,
            ),
            ("super", "stores", "tiny.yaml", "space.yaml"),
            (*stored, "super/**/*.dat"),
            ("trials.csv", "best.yaml", "**/*.part"),
        ),
        Command(
            "fetch",
            ("fetch", "ptb-xl", "out", "--from", address, "--connections", "2"),
            (),
            ("records100/**/*", "*.csv"),
            address=address,
        ),
    )
    return {command.name: command for command in told}


def make_world(folder: Path, inputs: set[str]) -> None:
    """What commands are given, as far as `inputs` names it: collections, their stores, a trained model, settings."""
    for kind, task, seed in (("super", "superclasses", 1), ("pe", "embolism", 2)):
        if kind in inputs:
            simulate_collection(folder / kind, task, 64, seed=seed, rate=100)
    for name, text in (("tiny", RECIPE), ("space", SPACE), ("study", STUDY)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    recipe = Recipe.from_yaml(RECIPE)
    if "stores" in inputs:
        for kind in inputs & {"super", "pe"}:
            open_store("simulated", folder / kind, recipe.signal, folder=folder / "stores", workers=1)
    if "source" in inputs:
        store = open_store("simulated", folder / "super", recipe.signal, folder=folder / "stores", workers=1)
        runs.train(store, recipe, folder / "source", "cpu")
    _make_publisher(folder / "publisher")


def _make_publisher(folder: Path) -> None:
    random = np.random.default_rng(0)
    files = {"ptbxl_database.csv": b"ecg_id,patient_id\n1,2\n"}
    for record in range(1, 5):
        files[f"records100/00000/0000{record}_lr.hea"] = b"0000%d_lr 12 100 1000\n" % record
        files[f"records100/00000/0000{record}_lr.dat"] = random.bytes(1_500_000)  # large enough to be continued
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    listed = "".join(f"{hashlib.sha256(content).hexdigest()} {path}\n" for path, content in files.items())
    (folder / "SHA256SUMS.txt").write_text(listed, encoding="utf-8")


@contextmanager
def publisher(folder: Path) -> Iterator[str]:
    """Serve `folder` from a process of its own, byte ranges too; gives the address."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(folder, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/"
    finally:
        process.kill()
        process.join()


def _serve(folder: Path, pipe: Any) -> None:
    os.chdir(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ranges)
    pipe.send(server.server_port)
    server.serve_forever()


class _Ranges(SimpleHTTPRequestHandler):
    """Files with an ETag, whole or from a byte on, a piece at a time so that a fault can come in between."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.path.lstrip("/"))
        if not path.is_file():
            self.send_error(404)
            return
        content, tag = path.read_bytes(), f'"{path.stat().st_mtime_ns}"'
        asked = self.headers.get("Range", "")
        part = asked.startswith("bytes=") and self.headers.get("If-Range") == tag
        begin = int(asked[6:].rstrip("-")) if part else 0
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", tag)
        self.end_headers()
        try:
            for at in range(begin, len(content), 1 << 18):
                self.wfile.write(content[at : at + (1 << 18)])
                time.sleep(0.002)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def give(world: Path, command: Command, place: Path) -> None:
    """Copy what the command is given, times of change and all, so that stores are found again."""
    for name in command.inputs:
        copied = shutil.copytree if (world / name).is_dir() else shutil.copy2
        copied(world / name, place / name)


def results(out: Path, command: Command) -> dict[str, str]:
    """A digest of each result, without what may differ between two unbroken runs."""
    paths = {path for pattern in command.results for path in out.glob(pattern) if path.is_file()}
    kept = sorted(path for path in paths if not path.name.endswith(_LOCKS))
    return {path.relative_to(out).as_posix(): hashlib.sha256(_timeless(path)).hexdigest()[:16] for path in kept}


def _timeless(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(content)), sort_keys=True).encode()
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"))))
        kept = [place for place, name in enumerate(rows[0]) if name not in _VARYING] if rows else []
        return json.dumps([[row[place] for place in kept if place < len(row)] for row in rows]).encode()
    if path.name == "best.yaml":  # its first line tells the trial's folder
        return content.partition(b"\n")[2]
    return content


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(inner) for key, inner in value.items() if key not in _VARYING}
    return [_without_times(inner) for inner in value] if isinstance(value, list) else value
