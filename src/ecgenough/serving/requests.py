"""What requests hold, as the OpenAPI document describes it."""

from typing import Annotated

from fastapi import Depends, File, Form, UploadFile

from ecgenough.formats.table import TableLayout, stated_layout

Files = Annotated[list[UploadFile], File(min_length=1, description="Recordings; of WFDB, the header and its samples.")]


async def _stated(
    rate: Annotated[float | None, Form(gt=0, description="Of a table: Hz.")] = None,
    unit: Annotated[str | None, Form(max_length=400, description="Of a table: mV, uV, V, or counts as 200/mV.")] = None,
    leads: Annotated[str | None, Form(max_length=400, description="Of a table: its leads, such as I,II,V1.")] = None,
    orientation: Annotated[
        str | None, Form(max_length=400, description="Of a table: samples-by-leads or leads-by-samples.")
    ] = None,
    skip_columns: Annotated[int, Form(ge=0, description="Of a table: leading columns that are no lead.")] = 0,
    skip_rows: Annotated[int, Form(ge=0, description="Of a table: leading rows, such as headings.")] = 0,
) -> TableLayout | None:
    return stated_layout(rate, unit, leads, orientation, skip_columns, skip_rows)


Layout = Annotated[TableLayout | None, Depends(_stated)]
