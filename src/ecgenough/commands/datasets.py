"""`ecgenough datasets`."""

from ecgenough.commands.tables import print_table
from ecgenough.datasets import describe


def datasets() -> None:
    """Show the data sets known by name."""
    print_table(("name", "what", "tasks"), [(known.name, known.what, ", ".join(known.tasks)) for known in describe()])
