"""What requests hold, as the OpenAPI document describes it."""

from typing import Annotated

from fastapi import File, Form, UploadFile

Files = Annotated[list[UploadFile], File(min_length=1, description="Recordings; of WFDB, the header and its samples.")]
Rate = Annotated[float | None, Form(gt=0, description="Of a table: Hz.")]
Words = Annotated[str | None, Form(max_length=400)]
