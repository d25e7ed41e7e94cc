"""Preparing on a real Ray cluster of two processes ends in the bytes that local ones write, also once these were killed."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecgenough.cli import main
from ecgenough.datasets.table import Dataset
from ecgenough.errors import WrongRequest
from ecgenough.recipe import Signal
from ecgenough.signals import building
from ecgenough.signals.preparation import prepare

WANTED = Signal(leads=("I", "II"), duration=2.0)
ray: Any = pytest.importorskip("ray", reason="the extra cluster is not installed")

from ecgenough.signals.on_ray import OnRay  # noqa: E402


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def test_a_store_made_on_ray_is_the_one_made_here(
    collection: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "BLOCK", 10)
    listed = collection(120, flat=(0, 17), absent=(64, 119))
    here = prepare(listed, WANTED, tmp_path / "here", workers=1)
    cluster = OnRay(workers=2)
    try:
        there = prepare(listed, WANTED, tmp_path / "there", conditioner=cluster)
        assert contents(there.path) == contents(here.path)
        for process in _workers():
            os.kill(process, signal.SIGKILL)
        monkeypatch.setattr(building, "BLOCK", 7)
        again = prepare(listed, WANTED, tmp_path / "again", conditioner=cluster)
        assert contents(again.path)["signals.i16"] == contents(here.path)["signals.i16"]
    finally:
        cluster.close()
    assert not ray.is_initialized()


def _workers() -> list[int]:
    """The processes of Ray that have done work."""
    remote = ray.remote(lambda: os.getpid())
    return sorted(set(ray.get([remote.remote() for _ in range(8)])))


def test_a_cluster_that_is_not_there_is_told_at_once(collection: Callable[..., Dataset], tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens: the port is closed, and nobody else's
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(WrongRequest, match=f"no Ray cluster answers at {address}"):
            prepare(collection(2), WANTED, tmp_path, conditioner=OnRay(address=address))


class _Lost:
    """A piece of work whose process raised a sentence, as `ray.get` hands it on."""

    exceptions = ray.exceptions

    def get(self, _: object) -> None:
        cause = WrongRequest("these settings fit no recording.")
        raise ray.exceptions.RayTaskError("condition_block", "a traceback", cause).as_instanceof_cause()


def test_what_a_process_of_the_cluster_refuses_is_its_sentence_alone() -> None:
    cluster = OnRay()
    cluster.ray = _Lost()
    with pytest.raises(WrongRequest) as refused:
        cluster._got(None)
    assert str(refused.value) == "these settings fit no recording."


def test_another_place_than_local_or_ray_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ecgenough", "prepare", "simulated", "--from", str(tmp_path), "--on", "rya"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert 'Nearest: "ray"' in capsys.readouterr().err
