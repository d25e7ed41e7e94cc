"""Real records: the same voltages as by the wfdb package, and every malformed one named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import BrokenRecord
from ecgenough.formats import TableLayout, read, record_files

# Of PTB-XL every 97th record, 203 of 19,601: the wfdb package takes some 6 ms for each. `python -m benchmarks.reading`
# compares all of them.
EVERY = {"ptb-xl/records100": 97, "ptb-xl-500hz/records500": 7, "cpsc-2018": 2, "challenge-2021": 1}


@pytest.mark.parametrize("folder", EVERY)
def test_real_records_have_the_voltages_of_the_wfdb_package(real_data: Path, folder: str) -> None:
    paths = [path for path in sorted((real_data / folder).rglob("*.hea")) if path.parent.name != "INCART"]
    if not paths:
        pytest.skip(f"no {folder} there")
    for path in paths[:: EVERY[folder]]:
        ecg, theirs = read(path), wfdb.rdrecord(str(path.with_suffix("")))
        np.testing.assert_array_equal(ecg.signal, theirs.p_signal.T.astype(np.float32), err_msg=str(path))
        assert (ecg.rate, list(ecg.comments)) == (theirs.fs, theirs.comments)
        assert ecg.leads == STANDARD_LEADS
        assert record_files(path) == (path, path.parent / theirs.file_name[0])


def test_headers_that_came_without_samples_are_named(real_data: Path) -> None:
    paths = sorted((real_data / "challenge-2021").rglob("I*.hea"))
    if not paths:
        pytest.skip("no INCART headers there")
    for path in paths:
        with pytest.raises(BrokenRecord, match=rf'{path.name}: its file "{path.stem}\.mat" is missing'):
            read(path)


def test_real_text_is_what_pandas_reads(real_data: Path) -> None:
    paths = sorted((real_data / "cinc-2011" / "set-a").glob("*.txt"))
    if not paths:
        pytest.skip("no cinc-2011 there")
    layout = TableLayout(500, "200/mV", STANDARD_LEADS, "samples-by-leads", skip_columns=1)
    for path in paths[::10]:
        counts = pd.read_csv(path, header=None).to_numpy()
        assert counts.dtype == np.int64
        expected = (counts[:, 1:].T / 200).astype(np.float32)
        np.testing.assert_allclose(read(path, layout).signal, expected, rtol=1e-7)
