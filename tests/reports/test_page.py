import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from ecgenough.errors import WrongRequest
from ecgenough.reports import write_report
from ecgenough.reports.page import describe
from ecgenough.reports.reading import read_runs
from ecgenough.reports.shell import render
from ecgenough.scoring.comparison import Difference

HOSTILE = '<script>alert("x")</script>'
VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """Elements with their attributes, text by section, and whether every element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def written(runs: Sequence[Path], out: Path, title: str | None = None) -> tuple[str, Outline]:
    write_report(runs, out, title)
    page = out.read_text(encoding="utf-8")
    outline = Outline(page)
    assert outline.open == []
    return page, outline


def test_one_run_makes_one_small_page_with_every_part(run_folder: Path, tmp_path: Path) -> None:
    page, outline = written([run_folder], tmp_path / "out" / "report.html")
    assert len(page) < 3_000_000
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    for said in (
        "Can a network read NORM, MI, STTC, CD and HYP from the ECG alone?",
        "myocardial infarction",
        "These are test figures (fold 10)",
        "3 rejected records",
        "lead V3 is flat",
        "Not a medical device",
        "Wagner P et al.",
        "torch",
    ):
        assert said in outline.text
    figures = [attributes["aria-label"] or "" for attributes in outline.all("svg") if attributes.get("role") == "img"]
    for start in (
        "Flow of records",
        "ROC curves",
        "Precision-recall",
        "Reliability",
        "Loss",
        "AUC on",
        "AUC by class",
        "ECG of",
    ):
        assert any(label.startswith(start) for label in figures), start
    assert len(outline.all("pre")) == 1
    assert sum(attributes.get("class") == "confusion" for attributes in outline.all("table")) == 5


def test_the_page_asks_for_nothing_from_elsewhere(run_folder: Path, tmp_path: Path) -> None:
    _, outline = written([run_folder], tmp_path / "report.html")
    for tag, attributes in outline.elements:
        assert "src" not in attributes
        for name in ("href", "action", "data", "poster"):
            value = attributes.get(name) or ""
            assert value == "" or value.startswith(("#", "data:")), (tag, value)
    policy = next(a for a in outline.all("meta") if a.get("http-equiv") == "Content-Security-Policy")["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "url(" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_figures_on_the_page_are_those_of_the_run(run_folder: Path, tmp_path: Path) -> None:
    page, outline = written([run_folder], tmp_path / "report.html")
    metrics = json.loads((run_folder / "test" / "metrics.json").read_text())
    auc = metrics["macro"]["auc"]
    assert f"{auc['low']:.3f}–{auc['high']:.3f}" in outline.text
    sortable = re.findall(r'<th scope="row" data-value="(\w+)">.*?</tr>', page, flags=re.S)
    assert set(sortable) == set(metrics["classes"])
    kept = next(a["href"] or "" for a in outline.all("a") if "download" in a)
    numbers = json.loads(unquote(kept.partition(",")[2]))
    assert numbers["runs"][0]["macro"]["auc"]["value"] == auc["value"]
    assert numbers["runs"][0]["classes"]["HYP"]["positives"] == metrics["classes"]["HYP"]["positives"]


def test_several_runs_are_compared(three_folders: Sequence[Path], tmp_path: Path) -> None:
    _, outline = written(three_folders, tmp_path / "report.html", title="Does transfer help?")
    assert "Does transfer help?" in outline.text
    assert "“full” has the highest AUC" in outline.text
    assert "only the classification layer learns; 513 of 3,848,001 parameters" in outline.text
    assert "transfer.mode" in outline.text
    figures = [attributes["aria-label"] or "" for attributes in outline.all("svg")]
    assert any(label.startswith("AUC by run: scratch 0.") for label in figures)


def test_a_baseline_stands_beside_networks(
    three_folders: Sequence[Path], baseline_folder: Path, tmp_path: Path
) -> None:
    _, outline = written([*three_folders, baseline_folder], tmp_path / "report.html")
    assert "“full” has the highest AUC" in outline.text
    for said in ("baseline: intervals", "Network or baseline", "baseline.json of sober", "no network: boosted trees"):
        assert said in outline.text
    assert '"slope": [' in outline.text
    assert "sober left no log.csv" not in outline.text
    kept = next(a["href"] or "" for a in outline.all("a") if "download" in a)
    *_, numbers = json.loads(unquote(kept.partition(",")[2]))["runs"]
    assert (numbers["mode"], numbers["baseline"], numbers["seed"]) == ("baseline", "intervals", 4)


def test_one_network_beside_a_baseline_has_no_recipe_to_differ_from(
    three_folders: Sequence[Path], baseline_folder: Path, tmp_path: Path
) -> None:
    _, outline = written([baseline_folder, three_folders[0]], tmp_path / "report.html")
    assert "What differs in the recipes" not in outline.text
    assert "Differs by run" in outline.text


def test_a_baseline_makes_a_page_of_its_own(baseline_folder: Path, tmp_path: Path) -> None:
    _, outline = written([baseline_folder], tmp_path / "report.html")
    for said in (
        "be told without a network?",
        "Baselines and trees are fitted in one step",
        "Keep the figures",
        "2.4.6",
    ):
        assert said in outline.text
    assert "epoch" not in outline.text


def test_a_log_without_auc_makes_a_page(pretraining_log: Path, tmp_path: Path) -> None:
    _, outline = written([pretraining_log], tmp_path / "report.html")
    figures = [attributes["aria-label"] or "" for attributes in outline.all("svg")]
    assert any(label.startswith("Loss by epoch") for label in figures)
    assert not any(label.startswith("AUC on the validation records") for label in figures)


def test_runs_that_cannot_be_compared_are_shown_with_a_warning(
    run_folder: Path, three_folders: Sequence[Path], tmp_path: Path
) -> None:
    _, outline = written([run_folder, three_folders[0]], tmp_path / "report.html")
    assert "their figures cannot be compared" in outline.text
    assert "has the highest" not in outline.text


@pytest.mark.parametrize(
    ("piece", "sentence"),
    [
        ("log.csv", "five-classes left no log.csv, so its learning curves are not shown."),
        ("test/examples.npz", "five-classes left no examples.npz, so its ECGs are not shown."),
        ("test/predictions.csv", "five-classes left no predictions.csv, so its curves and decisions are not shown."),
        ("model/model.json", "The model does not state the environment it was made in."),
        ("rejected.csv", "No list of the rejected records was left."),
    ],
)
def test_a_missing_piece_is_said_and_left_out(run_folder: Path, tmp_path: Path, piece: str, sentence: str) -> None:
    (run_folder / piece).unlink()
    _, outline = written([run_folder], tmp_path / "report.html")
    assert sentence in outline.text


def test_absent_classes_are_said_in_the_table(made_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = made_run(shares=(0.4, 0.3, 0.3, 0.2, 0.0), records=120)
    _, outline = written([folder], tmp_path / "report.html")
    assert "absent: no positive or no negative among the test records" in outline.text


def test_nothing_a_run_names_can_act_in_the_page(made_run: Callable[..., Path], tmp_path: Path) -> None:
    classes = (HOSTILE, "A&B", "'\"><img src=x onerror=alert(1)>")
    folder = made_run(
        "run <b>&", classes=classes, titles=(HOSTILE, "", "{{ 7 * 7 }}"), shares=(0.4, 0.3, 0.3), skill=(1.5, 1.5, 1.5),
        dataset=HOSTILE, task=HOSTILE, records=80,
    )  # fmt: skip
    (folder / "rejected.csv").write_text(f'record,reason\n"{HOSTILE.replace(chr(34), chr(34) * 2)}",</table>\n')
    page, outline = written([folder], tmp_path / "report.html", title=HOSTILE)
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in outline.text
    assert html.escape(HOSTILE, quote=False) in page.replace("&#34;", '"')


def test_long_lists_of_rejected_records_start_collapsed(run_folder: Path, tmp_path: Path) -> None:
    rows = "\n".join(f"r{number},too short" for number in range(1500))
    (run_folder / "rejected.csv").write_text(f"record,reason\n{rows}\n")
    page, outline = written([run_folder], tmp_path / "report.html")
    assert "1,500 rejected records" in outline.text
    assert "500 more in rejected.csv" in outline.text
    assert re.search(r"<details>\s*<summary>1,500", page)


def test_validation_figures_are_called_what_they_are(made_run: Callable[..., Path], tmp_path: Path) -> None:
    _, outline = written([made_run(part="validation", records=80)], tmp_path / "report.html")
    assert "These are validation figures" in outline.text
    assert "flatter the network" in outline.text


def test_a_threshold_that_nothing_chose_is_not_called_chosen(three_folders: Sequence[Path], tmp_path: Path) -> None:
    chosen = "called from a probability of 0.350, chosen on the validation records."
    assert chosen in written([three_folders[0]], tmp_path / "report.html")[1].text
    data = json.loads((three_folders[0] / "data.json").read_text())
    (three_folders[0] / "data.json").write_text(json.dumps({**data, "untuned": ["PE"]}))
    text = written([three_folders[0]], tmp_path / "report.html")[1].text
    assert "called from a probability of 0.350, which the validation records could not choose." in text
    assert chosen not in text


def test_a_small_p_value_is_not_called_nothing(three_folders: Sequence[Path]) -> None:
    found = {"frozen": Difference(0.2, 0.1, 0.3, 0.0004), "scratch": Difference(0.2, 0.1, 0.3, 0.25)}
    report = replace(describe(read_runs(three_folders)), differences=found)
    page = render("template.html", report)
    assert "below 0.001" in page
    assert ">0.000<" not in page


def test_the_same_runs_make_the_same_page(run_folder: Path, tmp_path: Path) -> None:
    pages = [written([run_folder], tmp_path / name)[0] for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


def test_a_folder_that_is_no_run_leaves_no_page(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WrongRequest, match=r"recipe\.yaml and baseline\.json are missing"):
        write_report([tmp_path / "empty"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
