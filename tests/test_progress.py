"""What people see of long work: a bar with figures on a terminal, plain lines in a log."""

import io
import re
import sys

import pytest
from rich.console import Console

from ecgenough import progress


def _watched(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> io.StringIO:
    seen = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=seen, force_terminal=terminal, width=120))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    return seen


def test_a_terminal_shows_a_bar_with_the_figures_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _watched(monkeypatch, terminal=True)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_FIGURES", -1.0)
    done: list[int] = []
    for item in progress.track("abc", "epoch 1/2", 3, "batches", lambda: f"loss {len(done)}.5"):
        done.append(ord(item))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.getvalue())
    assert done == [97, 98, 99]
    assert "epoch 1/2" in plain
    assert "3/3" in plain
    assert "loss 3.5" in plain


def test_what_is_printed_into_a_file_meanwhile_stays_out_of_the_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = _watched(monkeypatch, terminal=True)
    for item in progress.track("ab", "predicting", 2, "files"):
        print(f"answer {item}")
    assert capsys.readouterr().out == "answer a\nanswer b\n"
    assert "answer" not in seen.getvalue()


def test_a_log_gets_plain_lines_with_counts_and_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _watched(monkeypatch, terminal=False)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    assert list(progress.track([100, 28], "preparing", 1128, "records")) == [100, 28]
    assert list(progress.track("a", "epoch 1/1", 1, "batches", lambda: "loss 0.5")) == ["a"]
    assert seen.getvalue().splitlines() == [
        "preparing: 100 of 1,128 records",
        "preparing: 128 of 1,128 records",
        "epoch 1/1: 1 of 1 batches  loss 0.5",
    ]


def test_figures_are_not_asked_for_when_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _watched(monkeypatch, terminal=False)
    assert list(progress.track("ab", "epoch 1/1", 2, "batches", lambda: pytest.fail("asked"))) == ["a", "b"]
    assert seen.getvalue() == ""
