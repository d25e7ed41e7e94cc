"""The YAML file beside a manifest, which states what the table itself cannot: how its files are laid out, and more."""

from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError, model_validator

from ecgenough.complaints import first_complaint
from ecgenough.errors import WrongRequest
from ecgenough.formats.table import TableLayout
from ecgenough.recipe import Positive, Section
from ecgenough.settings import read_text, read_value


class Layout(Section):
    """How signals lie in plain tables (CSV, text, NPY): see `formats.TableLayout`."""

    rate: Positive
    unit: str
    leads: tuple[str, ...]
    orientation: Literal["samples-by-leads", "leads-by-samples"]
    skip_columns: int = 0
    skip_rows: int = 0
    delimiter: str | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        self.table_layout()
        return self

    def table_layout(self) -> TableLayout:
        return TableLayout(**self.model_dump())


class Sidecar(Section):
    """`labels` names the label columns, `task` the task, `positive` the positive one of two words in a label column."""

    layout: Layout | None = None
    labels: tuple[str, ...] | None = None
    task: str = "labels"
    positive: str | None = None


def read_sidecar(manifest: Path) -> Sidecar:
    """Read pe.yaml or pe.csv.yaml beside pe.csv, if there is one.

    Raises WrongRequest if there are both, or naming the first key that is unknown or does not fit.
    """
    beside = [manifest.with_suffix(".yaml"), manifest.with_name(f"{manifest.name}.yaml")]
    there = [path for path in beside if path.is_file()]
    if not there:
        return Sidecar()
    if len(there) > 1:
        raise WrongRequest(f"both {there[0].name} and {there[1].name} are beside {manifest.name}; keep one of them.")
    settings = read_value(read_text(there[0]), there[0].name)
    try:
        return Sidecar.model_validate(settings or {})
    except ValidationError as error:
        raise WrongRequest(first_complaint(error, Sidecar, there[0].name)) from None
