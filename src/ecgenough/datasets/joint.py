"""How a joint task is written: several tasks of one collection, answered by one network.

`form+rhythm` is the task of both. Its classes carry their task's name, `form:LVOLT` and `rhythm:AFIB`, so that a class
that two tasks share is asked for twice, each time on the records of that task.
"""

from collections.abc import Sequence

AND, OF = "+", ":"


def part_names(task: str) -> tuple[str, ...]:
    """The tasks that a task is made of: itself alone unless its name joins several."""
    return tuple(name.strip() for name in task.split(AND))


def joint_name(names: Sequence[str]) -> str:
    """The inverse of `part_names`."""
    return AND.join(names)


def joint_class(task: str, name: str) -> str:
    """What class `name` of `task` is called in a joint task."""
    return f"{task}{OF}{name}"


def columns_by_task(task: str, classes: Sequence[str]) -> dict[str, slice]:
    """Which columns of a task's `classes` belong to each of the tasks it is made of; all of them to a task alone.

    A task whose classes do not carry their task's name is one task, whatever it is called.
    """
    names = part_names(task)
    counts = [sum(label.startswith(f"{name}{OF}") for label in classes) for name in names]
    if len(names) == 1 or sum(counts) != len(classes):
        return {task: slice(0, len(classes))}
    ends = [sum(counts[: place + 1]) for place in range(len(names))]
    return {name: slice(end - count, end) for name, end, count in zip(names, ends, counts, strict=True)}


def own_class(task: str, label: str) -> str:
    """What a joint task's class `label` is called in `task` itself."""
    return label.removeprefix(f"{task}{OF}")
