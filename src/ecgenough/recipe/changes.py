"""Plain settings by their keys, such as training.epochs: changes of them, `key=value` each, and all of them in one row."""

from collections.abc import Mapping
from typing import Any

from ecgenough.errors import WrongRequest, quoted
from ecgenough.settings import read_value

CHOICES = ("kind", "objective")  # keys whose value says which other keys there are


def change_setting(settings: dict[str, Any], change: str, what: str = "recipe") -> None:
    """Put a `key=value` change into plain settings. Raises WrongRequest for one that is none of `what`."""
    put(settings, *parsed(change), what)


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Plain settings by keys such as "training.epochs"; a section without keys is a value."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) and value else {f"{above}{key}": value}
    return found


def parsed(change: str) -> tuple[str, Any]:
    """The key and the value of `key=value`, the value read as YAML."""
    key, equals, value = change.partition("=")
    if not equals:
        raise WrongRequest(f"change {quoted(change)} is not of the form key=value, such as training.epochs=5.")
    return key.strip(), read_value(value, f"change {quoted(change)}: the value")


def put(settings: dict[str, Any], key: str, value: Any, what: str = "recipe") -> None:
    """Put a plain value at a key such as "training.epochs" of `settings`; a new kind takes the old one's keys away.

    Raises WrongRequest where what stands on the way has no keys.
    """
    *sections, last = key.split(".")
    place = settings
    for section in sections:
        inner = place.get(section)
        if inner is None:
            inner = place[section] = {}
        if not isinstance(inner, dict):
            raise WrongRequest(f"{what} key {quoted(key)} is unknown: {quoted(section)} has no keys inside.")
        place = inner
    if last in CHOICES:  # another kind has other keys: the old ones go
        place.clear()
    if last == "name" and sections == ["network"]:
        place["options"] = {}
    place[last] = value
