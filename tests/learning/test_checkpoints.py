"""Checkpoints: read back as they were written, or refused with what to do."""

import errno
from pathlib import Path

import pytest
import torch

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.learning.checkpoints import read_checkpoint, write_checkpoint


def test_an_unreadable_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(EcgenoughError, match=r"checkpoint\.pt cannot be read"):
        read_checkpoint(tmp_path, "me")


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "one", {"progress": {"epoch": 1}})
    assert read_checkpoint(tmp_path, "one") == {"progress": {"epoch": 1}}
    with pytest.raises(WrongRequest, match="another recipe or other data"):
        read_checkpoint(tmp_path, "other")


@pytest.mark.parametrize("content", [{"network": {}}, [1, 2]])
def test_what_others_saved_under_that_name_is_refused_too(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(WrongRequest, match="of another recipe or other data"):
        read_checkpoint(tmp_path, "me")


def test_a_checkpoint_that_may_not_be_read_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "checkpoint.pt"))

    write_checkpoint(tmp_path, "me", {})
    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(PermissionError):
        read_checkpoint(tmp_path, "me")
