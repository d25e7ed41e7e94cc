"""What a run ran on: versions, device, and the state of the code where the package runs from a checkout."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from ecgenough.baselines import NEED_SCIKIT_LEARN
from ecgenough.baselines.classifiers import PACKAGE, installed_version

PACKAGES = ("ecgenough", "torch", "numpy", "scipy")
DECIDING = (*PACKAGES, PACKAGE, "git")  # with others than these, a run may give other figures
_PACKAGE = Path(__file__).parent.parent
_SECONDS = 10


def environment(device: torch.device, fitted: Iterable[str] = ()) -> dict[str, str]:
    """Versions, device and, where the package lies in a git checkout, `git`: its commit and what differs from it.

    With scikit-learn's version where one of the baselines that were `fitted` needs it.
    """
    packages = {name: version(name) for name in PACKAGES}
    if (sklearn := installed_version()) and not set(NEED_SCIKIT_LEARN).isdisjoint(fitted):
        packages[PACKAGE] = sklearn
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    code = git_state(_PACKAGE)
    return {"python": platform.python_version(), **packages, "device": where, **({"git": code} if code else {})}


@cache
def git_state(package: Path) -> str | None:
    """The commit that the code in folder `package` is of; None where it is no part of a checkout.

    Where files of the package differ from the commit, or are new, "changed" and eight digits over the differences.
    """
    commit = _git(package, "rev-parse", "HEAD")
    if commit is None or _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    changes = _git(package, "diff", "HEAD", "--", ".") or ""
    fresh = _git(package, "ls-files", "--others", "--exclude-standard", ".") or ""
    added = b"".join((package / name).read_bytes() for name in fresh.splitlines() if (package / name).is_file())
    if not changes and not fresh:
        return commit
    digest = hashlib.sha256(changes.encode() + fresh.encode() + added).hexdigest()[:8]
    return f"{commit}, changed {digest}"


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it is not there, or has nothing to say of the folder."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
