"""Make a manifest of the PhysioNet/CinC Challenge 2011: is the quality of a recording acceptable?

    python examples/cinc2011_manifest.py data/cinc-2011 cinc2011.csv
    ecgenough train cinc2011.csv --from data/cinc-2011 --out runs/quality

Beside cinc2011.csv goes cinc2011.yaml, which says how the text files are laid out.
"""

import csv
import sys
from pathlib import Path

LAYOUT = """\
task: quality
layout:
  rate: 500
  unit: 200/mV
  leads: [I, II, III, aVR, aVF, aVL, V1, V2, V3, V4, V5, V6]  # as the voltages say: see docs/inspect.md
  orientation: samples-by-leads
  skip_columns: 1          # the first column counts samples
"""


def main(folder: Path, manifest: Path) -> None:
    rows = [("path", "unacceptable")]
    for label, name in enumerate(("RECORDS-acceptable", "RECORDS-unacceptable")):
        rows += [(f"set-a/{record}.txt", str(label)) for record in (folder / name).read_text().split()]
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    manifest.with_suffix(".yaml").write_text(LAYOUT, encoding="utf-8")
    print(f"{manifest}: {len(rows) - 1} records. Use it with: --from {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/cinc2011_manifest.py FOLDER OUT.csv")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
