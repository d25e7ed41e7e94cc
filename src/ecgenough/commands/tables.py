"""Tables on the terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

WIDEST = 10_000  # columns; what reads a log or a pipe wants one line a row


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print `rows` under `heads`, without frames; as wide as it needs where nobody watches."""
    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = WIDEST
    console.print(table, markup=False, highlight=False)
