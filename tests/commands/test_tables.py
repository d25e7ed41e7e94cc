"""Tables on the terminal: in a log or a pipe, one line a row, however long."""

import pytest

from ecgenough.commands.tables import print_table


def test_a_row_is_one_line_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("class", "statement"), [("STTC", "s" * 300), ("NORM", "normal ECG")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["class", "statement"], ["STTC", "s" * 300], ["NORM", "normal", "ECG"]]
