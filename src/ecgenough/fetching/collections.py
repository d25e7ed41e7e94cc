"""Where the collections lie, and which of a publisher's files belong to them.

PhysioNet lays a project out below physionet.org/files/PROJECT/VERSION/, with SHA256SUMS.txt naming every file. Zenodo
describes a record at zenodo.org/api/records/NUMBER: names, sizes, MD5 sums and links.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from ecgenough.errors import WrongRequest, nearest

_WFDB_10_S = {".hea": 4096, ".dat": 120_000, ".mat": 120_024}  # 12 leads of 16 bits for 10 s at 500 Hz


@dataclass(frozen=True)
class Collection:
    """One collection at its publisher.

    `address` ends in a slash for PhysioNet and is the record for Zenodo; `wanted` matches the paths to fetch, by rate
    in Hz where a collection is published at several. `bytes_a_file` estimates by ending what PhysioNet does not say:
    the sizes, which decide whether the disk can hold them.
    """

    name: str
    address: str
    page: str
    wanted: dict[int, str]
    publisher: Literal["physionet", "zenodo"] = "physionet"
    bytes_a_file: dict[str, int] = field(default_factory=dict)

    def pattern(self, rate: int | None) -> re.Pattern[str]:
        """What a path must match. Raises WrongRequest for a rate that was not published."""
        default = min(self.wanted)
        if rate is not None and rate not in self.wanted:
            rates = " or ".join(str(each) for each in sorted(self.wanted) if each)
            raise WrongRequest(f"{self.name} comes at {rates} Hz only." if rates else f"{self.name} has one rate only.")
        return re.compile(self.wanted[default if rate is None else rate])

    def bytes_of(self, path: str) -> int:
        """An estimate of a file's size; 4 KiB, a block of a disk, where nothing is known."""
        return next((size for ending, size in self.bytes_a_file.items() if path.endswith(ending)), 4096)


_PTBXL_TABLES = r"ptbxl_database\.csv|scp_statements\.csv|LICENSE\.txt|RECORDS"
COLLECTIONS = {
    collection.name: collection
    for collection in (
        Collection(
            "ptb-xl",
            "https://physionet.org/files/ptb-xl/1.0.3/",
            "https://physionet.org/content/ptb-xl/1.0.3/",
            {
                100: rf"{_PTBXL_TABLES}|records100/\d+/\d+_lr\.(hea|dat)",
                500: rf"{_PTBXL_TABLES}|records500/\d+/\d+_hr\.(hea|dat)",
            },
            bytes_a_file={"_lr.dat": 24_000, "_hr.dat": 120_000, ".csv": 10_000_000},
        ),
        Collection(
            "cpsc-2018",
            "https://physionet.org/files/challenge-2020/1.0.2/",
            "https://physionet.org/content/challenge-2020/1.0.2/",
            {0: r"training/cpsc_2018/.+\.(hea|mat)"},
            bytes_a_file=_WFDB_10_S | {".mat": 192_024},  # 16 s on average
        ),
        Collection(
            "challenge-2020",
            "https://physionet.org/files/challenge-2020/1.0.2/",
            "https://physionet.org/content/challenge-2020/1.0.2/",
            {0: r"training/.+\.(hea|mat)"},
            bytes_a_file=_WFDB_10_S,
        ),
        Collection(
            "challenge-2021",
            "https://physionet.org/files/challenge-2021/1.0.3/",
            "https://physionet.org/content/challenge-2021/1.0.3/",
            {0: r"training/.+\.(hea|mat)"},
            bytes_a_file=_WFDB_10_S,
        ),
        Collection(
            "cinc-2011",
            "https://physionet.org/files/challenge-2011/1.0.0/",
            "https://physionet.org/content/challenge-2011/1.0.0/",
            {0: r"set-a/.+\.(hea|dat|txt)|(set-a/)?RECORDS[-a-z]*"},
            bytes_a_file=_WFDB_10_S | {".txt": 300_000},
        ),
        Collection(
            "medalcare-xl",
            "https://zenodo.org/api/records/8068944",
            "https://doi.org/10.5281/zenodo.8068944",
            {0: r".+\.zip"},
            publisher="zenodo",
        ),
    )
}


def named(name: str) -> Collection:
    """The collection of that name. Raises WrongRequest with the nearest one otherwise."""
    if name not in COLLECTIONS:
        raise WrongRequest(f'collection "{name}" cannot be fetched. {nearest(name, COLLECTIONS)}')
    return COLLECTIONS[name]
