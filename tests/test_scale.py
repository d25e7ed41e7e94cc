"""Ten million ECGs on paper: the arithmetic, from a table whose rates are known."""

from pathlib import Path

import pytest
from benchmarks import scale

CPU = """\
| prepare (read, band-pass, write), 1 process each | 400 records | 0.4 s | 3 s | naive / ours | 8 (8 to 8) | 5 |
| prepare (read, band-pass, write), 2 processes each | 400 records | 0.2 s | 3 s | naive / ours | 8 (8 to 8) | 5 |
| a training epoch, resnet18, batch 64, held in memory | 1,000 records | 2 s | 2 s | naive / ours | 1 (1 to 1) | 5 |
| evaluate, resnet18 | 800 records | 0.1 s | 2 s | naive / ours | 1 (1 to 1) | 5 |
| score with 1,000 resamples, beside a loop | 1,000 records, 5 classes | 0.05 s | 51 s | naive / ours | 1 (1 to 1) | 5 |
"""


def test_rates_are_those_of_the_table_a_core() -> None:
    assert list(scale.measured(CPU).values()) == [1000, 250, 4000, 10_000]


def test_ten_million_take_their_bytes_and_their_hours() -> None:
    fine = scale.sizes(10_000_000)[1]
    assert "120 kB an ECG | 1.2 TB" in fine  # 2 bytes x 12 leads x 5,000 samples
    (prepare,) = scale.hours(10_000_000, {"prepare": 1000})
    assert "2.8 core-hours: 2.6 min on 64 cores" in prepare  # 10,000 s


def test_a_gpu_counts_where_one_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "gpu.md"
    assert scale.on_gpu(1000, page) == []
    page.write_text(
        "- Data: 18,000 simulated\n| an epoch at 500 Hz, crnn_gru, batch 64 | 0.9 s (0.8 to 1) | 32 s naive |\n"
    )
    (row,) = scale.on_gpu(72_000_000, page)
    assert "crnn_gru, one GPU | 20,000 ECGs/s | 1.00 h" in row


def test_a_table_without_its_rows_is_said_to_lack_them() -> None:
    with pytest.raises(SystemExit, match=r"no row for prepare .*run python -m benchmarks first"):
        scale.measured("")
