"""The trained models that come with the package, known by name."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

FOLDER = Path(str(files("ecgenough"))) / "models"
DEFAULT = "ptbxl-base"  # what answers where no model is named
CARD = "model.json"


def names() -> tuple[str, ...]:
    """The names that `Model.load` and the command line know."""
    return tuple(sorted(card.parent.name for card in FOLDER.glob(f"*/{CARD}")))


def folder(name: str) -> Path | None:
    """The folder of the shipped model of that name; None where there is none."""
    return FOLDER / name if name in names() else None


def card(name: str) -> dict[str, Any]:
    """What the shipped model of that name says of itself: its model.json."""
    return dict(json.loads((FOLDER / name / CARD).read_text(encoding="utf-8")))
