"""From a name, or the path of a manifest, to a listed collection."""

from pathlib import Path

from ecgenough.datasets.catalogue import names
from ecgenough.datasets.cpsc2018 import open_cpsc2018
from ecgenough.datasets.manifest import open_manifest
from ecgenough.datasets.medalcare import open_medalcare
from ecgenough.datasets.ptbxl import open_ptbxl
from ecgenough.datasets.simulated import ABOUT, is_simulated, open_simulated
from ecgenough.datasets.table import Dataset
from ecgenough.errors import WrongRequest, nearest
from ecgenough.formats.table import TableLayout
from ecgenough.progress import say


def open_dataset(
    name_or_manifest: str,
    root: Path | None,
    *,
    rate: float | None = None,
    seed: int = 0,
    layout: TableLayout | None = None,
    to_train_on: bool = True,
) -> Dataset:
    """List a collection known by name, or one of your own by the path of its manifest.

    `root` is the folder that holds it; a manifest's own folder unless given. `rate` in Hz chooses among the rates that
    PTB-XL and the simulator publish. `seed` deals folds where a collection has none and draws negatives where a task
    samples them. `layout` says how signals lie in a manifest's plain tables. Of records that are not
    `to_train_on` but to be looked at, patients whom folds tear apart are named in `Dataset.torn` instead of refused, and
    too few patients to deal are one fold.
    Raises WrongRequest for an unknown name, an absent folder or table, and whatever in them cannot be used.
    """
    if name_or_manifest not in names():
        return open_manifest(_manifest(name_or_manifest), root, seed=seed, layout=layout, to_train_on=to_train_on)
    if layout is not None:
        raise WrongRequest(f"{name_or_manifest} has a layout of its own; a table layout is for manifests only.")
    return _open_known(name_or_manifest, _folder(name_or_manifest, root), rate, seed)


def _open_known(name: str, root: Path, rate: float | None, seed: int) -> Dataset:
    if name == "cpsc-2018":
        return open_cpsc2018(root, seed)
    if name == "medalcare-xl":
        return open_medalcare(root)
    # A folder of simulated ECGs in PTB-XL's layout must not pass for PTB-XL in anybody's report.
    if name == "simulated" or is_simulated(root):
        if name != "simulated":
            say(f"{root} was written by ecgenough simulate ({ABOUT}): these are simulated ECGs, not {name}.")
        return open_simulated(root, rate, seed)
    return open_ptbxl(root, rate, seed)


def _manifest(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        raise WrongRequest(
            f'"{name}" is a folder; name the data set, and the folder with --from: one of {", ".join(names())}, or the '
            "path of a manifest CSV."
        )
    if not path.is_file():
        raise WrongRequest(
            f'"{name}" is neither a known dataset nor a manifest that is there. {nearest(name, names())}'
        )
    return path


def _folder(name: str, root: Path | None) -> Path:
    if root is None:
        raise WrongRequest(f"say where {name} lies: --from DIR, the folder that holds it.")
    if not root.is_dir():
        raise WrongRequest(f"{root} is not a folder. Give the one that holds {name} with --from.")
    return root
