"""A zip archive from a publisher -> files below a folder, and nowhere else."""

import errno
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj

from ecgenough.errors import EcgenoughError
from ecgenough.fetching.downloading import free_bytes
from ecgenough.fetching.listings import safe_path
from ecgenough.files import written_aside

MOST_MEMBERS = 1_000_000
# What zipfile lets through of a damaged archive, as fuzzing has shown.
_BROKEN = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, IndexError, OverflowError, OSError,
    struct.error, zlib.error,
)  # fmt: skip


def unpack(archive: Path, folder: Path) -> Iterator[int]:
    """Unpack what is not there yet, yielding 1 for each file; each appears whole or not at all.

    Raises EcgenoughError for an archive that is damaged, holds links or secrets, leads out of the folder, or needs
    more room than the disk has: all that is known from its directory, before the first file is written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            missing = _missing(archive, opened, folder)
            for info, place in missing:
                with written_aside(place) as aside, opened.open(info) as packed, aside.open("wb") as file:
                    copyfileobj(packed, file, 1 << 20)
                yield 1
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # the disk's own trouble, not a wrong offset
            raise
        raise EcgenoughError(f"{archive.name} cannot be unpacked: {error}. Delete it and fetch it again.") from None


def files_in(archive: Path) -> int:
    """How many files an archive holds."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return sum(not info.is_dir() for info in opened.infolist())
    except (zipfile.BadZipFile, ValueError, IndexError, struct.error) as error:
        raise EcgenoughError(f"{archive.name} is no whole zip archive: {error}.") from None


def _missing(archive: Path, opened: zipfile.ZipFile, folder: Path) -> list[tuple[zipfile.ZipInfo, Path]]:
    members = [info for info in opened.infolist() if not info.is_dir()]
    if len(members) > MOST_MEMBERS:
        raise EcgenoughError(f"{archive.name} holds {len(members):,} files; at most {MOST_MEMBERS:,} are unpacked.")
    missing = []
    for info in members:
        if stat.S_ISLNK(info.external_attr >> 16) or info.flag_bits & 1:
            raise EcgenoughError(f"{archive.name} holds a link or an encrypted file, {info.filename[:80]!r}.")
        place = folder / safe_path(info.filename, archive.name)
        if not (place.is_file() and place.stat().st_size == info.file_size):
            missing.append((info, place))
    needed, free = sum(info.file_size for info, _ in missing), free_bytes(folder)
    if needed > free:
        raise EcgenoughError(
            f"{archive.name} unpacks to {needed / 1e9:,.1f} GB; {folder} has {free / 1e9:,.1f} GB free."
        )
    return missing
