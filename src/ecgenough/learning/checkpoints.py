"""Checkpoints, from which an interrupted training continues to the result that an unbroken one would have had."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import written_aside

CHECKPOINT = "checkpoint.pt"


def write_checkpoint(folder: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Write everything a killed run needs to `folder/checkpoint.pt`, whole or not at all."""
    content = io.BytesIO()  # PyTorch's own writer hides a full disk behind an internal error
    torch.save({"identity": identity, **state}, content)
    with written_aside(folder / CHECKPOINT) as aside:
        aside.write_bytes(content.getbuffer())


def read_checkpoint(folder: Path, identity: str, labels: str = "") -> dict[str, Any] | None:
    """The checkpoint in `folder`, None where there is none; `labels` is what its state should hold under that name.

    Raises WrongRequest for one of another recipe, data or labels, EcgenoughError for what is no checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):  # no fault of the checkpoint, which is worth keeping
        raise
    except Exception as error:
        raise EcgenoughError(
            f"{path} cannot be read ({type(error).__name__}); delete it to train from the start."
        ) from None
    # Checkpoints of before 2026-11-28 say nothing of labels.
    if not isinstance(state, dict) or state.pop("identity", None) != identity or state.pop("labels", labels) != labels:
        raise WrongRequest(f"{path} is of another recipe or other data. Choose another --out, or delete that folder.")
    return state
