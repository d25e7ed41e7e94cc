"""What ten million ECGs would take, worked out from the rates that the other benchmarks measured and wrote down."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LEADS, SECONDS = 12, 10
HOUR = 3600.0
PAGE = """\
# {ecgs:,} ECGs, on paper

- Command: `python -m benchmarks.scale --ecgs {ecgs}`
- Rates: {source}; per core, of 12 leads and 10 s at 100 Hz
- Nothing here was run at this size: it is arithmetic on those rates, as if they stayed the same

| what | rate | for all |
| --- | --- | --- |
{rows}
"""
# The rows of results/cpu.md that rates come from: a record's work, and on how many cores it was measured.
RATES = {
    "prepare (read, band-pass, write)": (r"prepare \(read, band-pass, write\), 1 process", 1),
    "one epoch of training, resnet18 of the recipe fast": (r"a training epoch, resnet18, .* held in memory", 2),
    "predict in bulk, resnet18 of the recipe fast": (r"evaluate, resnet18", 2),
    "score with 1,000 resamples": (r"score with 1,000 resamples", 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--ecgs", type=int, default=10_000_000, help="how many (10 million)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where cpu.md is, and gpu.md where there is one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the table's folder")
    asked = parser.parse_args()
    rates = measured((asked.results / "cpu.md").read_text(encoding="utf-8"))
    gpu = asked.results / "gpu.md"
    rows = [*sizes(asked.ecgs), *hours(asked.ecgs, rates), *on_gpu(asked.ecgs, gpu)]
    source = "results/cpu.md" + (" and results/gpu.md" if gpu.is_file() else "; no GPU has been measured yet")
    page = PAGE.format(ecgs=asked.ecgs, source=source, rows="\n".join(rows))
    (asked.out / "scale.md").write_text(page, encoding="utf-8")
    print(page)


def measured(page: str) -> dict[str, float]:
    """ECGs a second on one core, of each kind of work in a table of `python -m benchmarks`."""
    rates = {}
    for what, (pattern, cores) in RATES.items():
        row = re.search(rf"^\| {pattern}[^|]*\| ([\d,]+) (?:records|times)[^|]*\| ([\d.e+-]+) s", page, re.MULTILINE)
        if row is None:
            raise SystemExit(f"results/cpu.md has no row for {what}; run python -m benchmarks first.")
        rates[what] = int(row[1].replace(",", "")) / float(row[2]) / cores
    return rates


def sizes(ecgs: int) -> list[str]:
    """Bytes of the recordings and of the store, which are the same: 16 bits a sample in both."""
    rows = []
    for rate in (100, 500):
        each = 2 * LEADS * SECONDS * rate
        rows.append(
            f"| recordings, and as much again for the store, at {rate} Hz | {each / 1e3:.0f} kB an ECG | {told(each * ecgs)} |"
        )
    return rows


def hours(ecgs: int, rates: Mapping[str, float]) -> list[str]:
    """Core-hours of each kind of work, and hours on a machine of 64 cores."""
    cores = {what: ecgs / rate / HOUR for what, rate in rates.items()}
    return [
        f"| {what} | {rates[what]:,.0f} ECGs/s a core | {alone:,.1f} core-hours: {60 * alone / 64:,.1f} min on 64 cores |"
        for what, alone in cores.items()
    ]


def on_gpu(ecgs: int, page: Path) -> list[str]:
    """Hours of an epoch on one GPU, of every network that results/gpu.md has an epoch of; none where it is absent."""
    if not page.is_file():
        return []
    text = page.read_text(encoding="utf-8")
    found = re.search(r"^- Data: ([\d,]+) ", text, re.MULTILINE)
    records = int(found[1].replace(",", "")) if found else 0
    epochs = re.findall(r"^\| an epoch at 500 Hz, (\w+), batch 64 \| ([\d.]+) s", text, re.MULTILINE)
    return [
        f"| one epoch of training at 500 Hz, {name}, one GPU | {records / float(seconds):,.0f} ECGs/s "
        f"| {ecgs * float(seconds) / records / HOUR:,.2f} h |"
        for name, seconds in epochs
    ]


def told(size: float) -> str:
    """A size in TB or GB."""
    return f"{size / 1e12:.1f} TB" if size >= 1e12 else f"{size / 1e9:.0f} GB"


if __name__ == "__main__":
    main()
