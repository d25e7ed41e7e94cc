"""Links that lead out of docs/: what they point at comes along as part of the site, so that they hold anywhere."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BROUGHT = "repository"  # where in the site files from outside docs/ stand, by their path in the repository
ALWAYS = (Path("CHANGELOG.md"), Path("CONTRIBUTING.md"))  # stand in the navigation
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#\s]+)(#[^)\s]*)?\)")


def brought() -> dict[str, Path]:
    """Every file outside docs/ that a page links to, or a page linked to links to: place in the site -> file."""
    waiting, found = [*DOCS.rglob("*.md"), *(ROOT / path for path in ALWAYS)], dict[str, Path]()
    while waiting:
        page = waiting.pop()
        if not page.is_relative_to(DOCS):
            found[place(page)] = page
        for target in _targets(page):
            if target.is_file() and not target.is_relative_to(DOCS) and place(target) not in found:
                found[place(target)] = target
                if target.suffix == ".md":
                    waiting.append(target)
    return found


def place(file: Path) -> str:
    """Where a file of the repository stands in the site's sources."""
    if file.is_relative_to(DOCS):
        return file.relative_to(DOCS).as_posix()
    return f"{BROUGHT}/{file.relative_to(ROOT).as_posix()}"


def source(page: str) -> Path:
    """The file behind a page of the site."""
    inside = PurePosixPath(page)
    return ROOT / inside.relative_to(BROUGHT) if inside.is_relative_to(BROUGHT) else DOCS / inside


def redirected(markdown: str, page: str) -> str:
    """The page with links to files of the repository turned to where those stand in the site.

    A folder has no page: of a link to one, the path is left as words.
    """

    def one(link: re.Match[str]) -> str:
        target = _resolved(source(page), link[2])
        if target is None:
            return link[0]
        if target.is_dir():
            return f"{link[1][1:-1]} (`{target.relative_to(ROOT).as_posix()}`)"
        relative = os.path.relpath(place(target), PurePosixPath(page).parent)
        return f"{link[1]}({relative}{link[3] or ''})"

    return _LINK.sub(one, markdown)


def _targets(page: Path) -> Iterator[Path]:
    if page.suffix == ".md":
        for link in _LINK.finditer(page.read_text(encoding="utf-8")):
            if (target := _resolved(page, link[2])) is not None:
                yield target


def _resolved(page: Path, link: str) -> Path | None:
    """The file or folder of the repository that a link means; None for addresses and for what is not there."""
    if "://" in link or link.startswith("mailto:"):
        return None
    target = Path(os.path.normpath(page.parent / link))
    return target if target.exists() and target.is_relative_to(ROOT) else None
