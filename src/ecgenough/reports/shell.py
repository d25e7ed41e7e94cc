"""What every page is put into: one template, one style sheet and one script, all inside the page, no request out of it."""

import base64
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ecgenough.reports import methods, tables, words
from ecgenough.sentences import counted
from ecgenough.studies.verdict import p_words


def render(template: str, report: Any) -> str:
    """The page of a template that shows `report`; its script is the only one that the page lets run."""
    style, script = (_source(name) for name in ("style.css", "script.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = _environment().get_template(template)
    return shown.render(
        report=report, style=Markup(style), script=Markup(script), digest=digest, version=version("ecgenough")
    )


def _source(name: str) -> str:
    return (files("ecgenough.reports") / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ecgenough.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "decimal": words.decimal,
        "interval": words.interval,
        "signed": words.signed,
        "p_words": p_words,
        "counted": counted,
        "figure_of": tables.figure_of,
        "mode": methods.mode_sentence,
        "unbroken": words.unbroken,
    }
    return environment
