"""The pages that people read, and the fenced blocks in them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
_FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its page below the root, the number of its first line, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README, CONTRIBUTING, the docs, and the pages of the benchmarks that hold commands."""
    benchmarks = [ROOT / "benchmarks" / "README.md", ROOT / "benchmarks" / "ptbxl" / "README.md"]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *benchmarks, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [Block(name, text[: it.start()].count("\n") + 2, it[2], it[3]) for it in _FENCED.finditer(text)]


def commands(block: Block) -> list[str]:
    """The command lines of a block, continued lines joined, comments left out."""
    joined = re.sub(r"\\\n\s*", " ", block.text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


EVERY_BLOCK = [block for page in pages() for block in blocks(page)]
COMMANDS = [
    (block, line)
    for block in EVERY_BLOCK
    if block.language in ("", "sh", "bash", "console")
    for line in commands(block)
]
