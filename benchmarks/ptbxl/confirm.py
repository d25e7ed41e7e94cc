"""Do the choices of the searches, made on fold 9, hold on the other folds? Each fold is left out of training in its turn.

Every fold is scored by networks that did not learn from it, so that a choice that suits fold 9 by chance falls behind on
the others. The epoch is chosen on the fold that is scored, for every choice alike. Each run goes on where it was and is
done once, so the command can be repeated; both tables are written after each fold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.ptbxl.leaderboard import Row, table_of, trained
from ecgenough.errors import WrongRequest
from ecgenough.files import write_text
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.scoring import corrected_resampled_t_test
from ecgenough.signals.store import Store

AS_SHIPPED = "as shipped"
TAUGHT = "taught by it"
# What the searches found to matter, each undone by itself, and what the shipped pupils rest on.
CHOICES: Mapping[str, tuple[str, ...]] = {
    TAUGHT: ("distillation.weight=0.7",),  # by the network as shipped of the same folds
    "no weight for rare classes": ("loss.positive_weight=null",),
    "batches of 128": ("training.batch=128",),
    "half of the rate": ("optimizer.learning_rate=0.002",),
    "no circular shift": (
        "augmentation.of=[{kind: lead-scale, spread: 0.1}, {kind: lead-dropout, probability: 0.05}]",
    ),
}


def confirm(
    store: Store, recipe: Recipe, out: Path, table: Path, *, choices: Sequence[str] = (), folds: Sequence[int] = ()
) -> None:
    """Train the recipe as shipped and each choice (all unless named) without each of `folds` (all unless named).

    Every run's figures are written to `table` as CSV, and what each choice changes to the Markdown file beside it. Raises
    WrongRequest for a recipe with teachers: they have learned from the folds that are left out.
    """
    if recipe.distillation is not None and recipe.distillation.teachers:
        raise WrongRequest(
            f"{', '.join(recipe.distillation.teachers)} may know the folds that are to score, and would teach them. Use a "
            "recipe without teachers, such as ptbxl-teacher."
        )
    rows: list[Row] = []
    for fold in folds or sorted((*store.train_folds, *store.validation_folds)):
        for row in _rows(_without(store, fold), recipe, out / str(fold), choices or tuple(CHOICES)):
            rows.append(row)
            say(f"{row.name}, fold {row.fold}: " + ", ".join(f"{task} {auc:.4f}" for task, auc in row.aucs.items()))
        write_text(table, table_of(rows))
        write_text(table.with_suffix(".md"), _page(rows, store, recipe))


def _rows(store: Store, recipe: Recipe, out: Path, choices: Sequence[str]) -> Iterator[Row]:
    shipped = out / "as-shipped"
    yield trained(store, recipe, AS_SHIPPED, (), shipped)
    for choice in choices:
        changes = CHOICES[choice]
        if choice == TAUGHT:
            changes = (f"distillation.teachers={[str(shipped)]}", *changes)
        yield trained(store, recipe, choice, changes, out / choice.replace(" ", "-"))


def _without(store: Store, fold: int) -> Store:
    """The same records with `fold` to choose on and all others to learn from."""
    learned = tuple(sorted({*store.train_folds, *store.validation_folds} - {fold}))
    return replace(store, train_folds=learned, validation_folds=(fold,))


def _page(rows: Sequence[Row], store: Store, recipe: Recipe) -> str:
    """Means over the folds of the recipe as shipped, and by how much each choice differs from it on the same folds."""
    figures = {(row.name, row.fold): np.array([*row.aucs.values(), row.mean]) for row in rows}
    folds = sorted({row.fold for row in rows})
    shipped = np.array([figures[AS_SHIPPED, fold] for fold in folds])
    lines = [
        f"Macro AUC, mean over the folds {', '.join(map(str, folds))}, and what a choice adds to it. {recipe.network.name} "
        f"{dict(recipe.network.options)}, {recipe.training.epochs} epochs. In brackets 95% intervals of the corrected "
        "resampled t-test (Nadeau & Bengio 2003) over the folds.",
        "",
        "| " + " | ".join(["", *rows[0].aucs, "mean"]) + " |",
        "|" + " --- |" * (shipped.shape[1] + 1),
        _line(AS_SHIPPED, [f"{value:.3f}" for value in shipped.mean(axis=0)]),
    ]
    for choice in dict.fromkeys(row.name for row in rows if row.name != AS_SHIPPED):
        differences = np.array([figures[choice, fold] for fold in folds]) - shipped
        lines.append(_line(choice, [_difference(column, store) for column in differences.T]))
    return "\n".join(lines) + "\n"


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _difference(of_folds: np.ndarray, store: Store) -> str:
    if len(of_folds) < 2:
        return f"{of_folds[0]:+.4f}"
    others = len(store.train_folds) + len(store.validation_folds) - 1
    found = corrected_resampled_t_test(of_folds, train_records=others, test_records=1)  # folds are of one size
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
