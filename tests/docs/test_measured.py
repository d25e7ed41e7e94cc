"""What the site says was measured is what the files say."""

import csv

import pytest
from tests.docs.pages import pages
from website import measured


def test_every_mark_of_the_docs_can_be_filled() -> None:
    """Tables are made when the site is built; here it is enough that they are known."""
    figures = 0
    for page in pages():
        text = page.read_text(encoding="utf-8")
        tables, found = measured.MARK.findall(text), measured.FIGURE.findall(text)
        assert set(tables) <= set(measured.TABLES)
        assert all(measured.auc(*one) for one in found)
        figures += len(found)
    assert figures >= 8


def test_a_figure_is_that_of_the_file() -> None:
    with measured.TRANSFER.open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["kind"] == "network")
    said = measured.auc(row["target"], row["arm"])
    assert said.startswith(f"{float(row['auc']):.3f} (")
    assert measured.auc("ptb-xl", "baseline prevalence") == "0.500 (0.500–0.500)"
    with pytest.raises(ValueError, match='no measured AUC of "resnet19"'):
        measured.auc("ptb-xl", "resnet19")
