"""`ecgenough models`."""

from ecgenough import shipped
from ecgenough.commands.tables import print_table
from ecgenough.datasets.joint import columns_by_task
from ecgenough.sentences import counted


def models() -> None:
    """Show the trained models that come with the package: what each was taught, and by what."""
    rows = []
    for name in shipped.names():
        card = shipped.card(name)
        counts = {task: part.stop - part.start for task, part in columns_by_task(card["task"], card["classes"]).items()}
        tasks = ", ".join(f"{task} ({count})" for task, count in counts.items())
        recipe, origin = card["recipe"], card["origin"]
        shown = f"{counted(len(card['leads']), 'lead')}, {recipe['signal']['duration']:g} s at {card['rate']:g} Hz"
        rows.append((name, recipe["network"]["name"], origin["dataset"], shown, tasks))
    print_table(("name", "network", "taught by", "reads", "tasks (classes)"), rows)
