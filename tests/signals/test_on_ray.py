"""Preparing on a real Ray cluster of two processes ends in the bytes that local ones write, also once these were killed."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecgenough.cli import main
from ecgenough.datasets.table import Dataset
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


def test_another_place_than_local_or_ray_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ecgenough", "prepare", "simulated", "--from", str(tmp_path), "--on", "rya"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert 'Nearest: "ray"' in capsys.readouterr().err
