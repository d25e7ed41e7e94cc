"""What is looked at before a run begins: whether its folder can be written to and is its own, and is it done already."""

import tempfile
from pathlib import Path

from ecgenough.errors import WrongRequest
from ecgenough.files import remove_litter, write_text
from ecgenough.learning.checkpoints import CHECKPOINT
from ecgenough.model import Model, weights_digest
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies.splits import Division

RECIPE, BASELINE = "recipe.yaml", "baseline.json"


def check_out(out: Path) -> None:
    """Raise WrongRequest where `out` cannot become a folder, or nothing can be written to it."""
    place = out.absolute()
    while not (place.exists() or place.is_symlink()):
        place = place.parent
    if not place.is_dir():
        raise WrongRequest(f"{place} is not a folder, so nothing can be written to {out}. Choose another --out.")
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise WrongRequest(
            f"nothing can be written to {place} ({error.strerror}), so not to {out}. Choose another --out."
        ) from None


def check_out_of_run(out: Path, recipe: Recipe) -> None:
    """What can be said of a run's folder before its data are read: `check_out`, and no other recipe's run in it."""
    check_out(out)
    if (out / BASELINE).exists():
        raise _another(out)
    begun = (out / CHECKPOINT).exists() or (out / "model" / "model.json").exists()
    if begun and (out / RECIPE).is_file():
        theirs = Recipe.from_yaml((out / RECIPE).read_text(encoding="utf-8", errors="replace"), str(out / RECIPE))
        task = theirs.task if recipe.task is None or recipe.pretraining else recipe.task  # the data may decide
        leads = theirs.signal.leads if recipe.transfer else recipe.signal.leads  # the target may lack some
        signal = recipe.signal.model_copy(update={"leads": leads})
        if theirs != recipe.model_copy(update={"task": task, "signal": signal}):
            raise _another(out)


def check_out_of_baseline(out: Path) -> None:
    """`check_out`, and that `out` is not the folder of a network's run."""
    check_out(out)
    if (out / RECIPE).exists() or (out / "model").exists():
        raise WrongRequest(f"{out} holds a network's run. Choose another --out, or delete that folder.")


def check_out_of_evaluation(out: Path) -> None:
    """`check_out`, and that `out` is not the folder of a run or a model, whose files an evaluation does not belong to."""
    check_out(out)
    if any((out / name).exists() for name in (RECIPE, CHECKPOINT, BASELINE, "model.json")):
        raise WrongRequest(f"{out} is the folder of a run or a model. Choose another --out, such as {out / 'test'}.")


def begin(out: Path, recipe: Recipe) -> None:
    """Make a run's folder and say in it whose it is; what a killed run left aside there goes."""
    out.mkdir(parents=True, exist_ok=True)
    remove_litter(out)
    if not (out / CHECKPOINT).exists():
        write_text(out / RECIPE, recipe.to_yaml())


def finished(out: Path, recipe: Recipe, store: Store, division: Division, source: str | Path | None) -> bool:
    """Whether `out` holds this very run, done. Raises WrongRequest where it holds another.

    A store's fingerprint tells its signals; their labels and folds may have changed since, and then it is another run.
    """
    if not (out / "model" / "model.json").exists():
        return False
    origin = Model.load(out).origin
    began_as = weights_digest(source) if source else None
    teachers = {name: weights_digest(name) for name in recipe.distillation.teachers} if recipe.distillation else {}
    asked = (recipe.fingerprint(), store.fingerprint, began_as, teachers)
    learned = division.digest(store, recipe)
    if (
        (origin["recipe"], origin["store"], origin.get("source_weights"), origin.get("teachers", {})) != asked
        or origin.get("learned_from", learned) != learned  # models of before 2026-11-28 do not say
    ):
        raise _another(out)
    remove_litter(out)
    say(f"{out} holds this run already; nothing to do.")
    return True


def _another(out: Path) -> WrongRequest:
    return WrongRequest(
        f"{out} holds another run: its recipe, data, labels or source are others. Choose another --out, or delete that "
        "folder."
    )
