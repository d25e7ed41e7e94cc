"""Make a manifest of the PhysioNet/CinC Challenge 2021, or of any folder of its headers: one column a scored diagnosis.

    python examples/challenge2021_manifest.py data/challenge-2021 challenge2021.csv
    ecgenough train challenge2021.csv --from data/challenge-2021 --out runs/challenge

Diagnoses that fewer than five records have are left out; headers that cannot be read are named and left out.
"""

import csv
import sys
from pathlib import Path

from ecgenough.datasets.statements import CHALLENGE_2021, written_diagnoses
from ecgenough.errors import BrokenRecord
from ecgenough.formats.header import Header, read_header

FEWEST_RECORDS = 5


def readable_headers(folder: Path) -> dict[str, Header]:
    """Each header by its path below the folder."""
    headers = {}
    for path in sorted(folder.rglob("*.hea")):
        try:
            headers[path.relative_to(folder).as_posix()] = read_header(path)
        except BrokenRecord as broken:
            print(f"left out: {broken}")
    return headers


def diagnosed(header: Header) -> dict[str, bool]:
    """Which of the scored diagnoses a header has."""
    written = written_diagnoses(header.comments)
    return {name: diagnosis.is_among(written) for name, diagnosis in CHALLENGE_2021.items()}


def main(folder: Path, manifest: Path) -> None:
    headers = readable_headers(folder)
    labels = {path: diagnosed(header) for path, header in headers.items()}
    classes = [name for name in CHALLENGE_2021 if sum(row[name] for row in labels.values()) >= FEWEST_RECORDS]
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "age", "sex", *classes])
        for path, header in headers.items():
            writer.writerow([path, header.age, header.sex, *(int(labels[path][name]) for name in classes)])
    print(f"{manifest}: {len(headers)} records, {len(classes)} classes. Use it with: --from {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/challenge2021_manifest.py FOLDER OUT.csv")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
