"""`ecgenough networks`."""

from ecgenough.commands.tables import print_table
from ecgenough.networks import build, describe, names, operations
from ecgenough.networks.contract import parameter_count


def networks() -> None:
    """Show the networks, their sizes and their operations for a 12-lead ECG of 1000 samples."""
    rows = []
    for name in names():
        network = build(name, leads=12, classes=5)
        size = f"{parameter_count(network) / 1e6:.2f} M"
        rows.append((name, size, f"{operations(network, 12, 1000) / 1e9:.3f} G", describe(name)))
    print_table(("name", "parameters", "operations", "what"), rows)
