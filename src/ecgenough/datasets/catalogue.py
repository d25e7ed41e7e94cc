"""The collections known by name, and what is worth knowing before one is opened."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """A row of `ecgenough datasets`."""

    name: str
    what: str
    tasks: tuple[str, ...]
    folder: str
    source: str


CATALOGUE = (
    Description(
        "ptb-xl",
        "21,799 ECGs of 18,869 patients, 10 s at 500 or 100 Hz",
        ("superdiagnostic", "all", "diagnostic", "subdiagnostic", "form", "rhythm", "right-heart-strain"),
        "ptbxl_database.csv, scp_statements.csv, and records100 or records500",
        "https://physionet.org/content/ptb-xl/1.0.3/",
    ),
    Description(
        "cpsc-2018",
        "6,877 ECGs, 6-60 s at 500 Hz",
        ("all",),
        "A0001.hea and on at any depth, or REFERENCE.csv and A0001.mat and on",
        "https://physionet.org/content/challenge-2020/1.0.2/",
    ),
    Description(
        "medalcare-xl",
        "16,842 ECGs of simulated hearts, 10 s at 500 Hz",
        ("all",),
        "WP2_largeDataset_Noise, or a folder around it",
        "https://doi.org/10.5281/zenodo.8068944",
    ),
    Description(
        "simulated",
        "as many ECGs as you like, 10 s at 500 Hz, made by ecgenough simulate",
        ("superdiagnostic", "embolism"),
        "what ecgenough simulate wrote",
        "ecgenough simulate",
    ),
)


def names() -> tuple[str, ...]:
    """The names that `open_dataset` knows; any other is the path of a manifest."""
    return tuple(description.name for description in CATALOGUE)


def describe() -> tuple[Description, ...]:
    """What there is, in the order of `names`."""
    return CATALOGUE
