"""The main job on built-in data: learn from a large simulated collection, carry it to a small one, compare."""

from pathlib import Path

from ecgenough.model import Model
from ecgenough.progress import say
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.sentences import counted
from ecgenough.signals.store import Store
from ecgenough.simulation import embolism_ceiling, simulate_collection
from ecgenough.studies import runs
from ecgenough.studies.outcome import interval_text
from ecgenough.studies.stores import open_store

SOURCE_RECORDS, TARGET_RECORDS = 3000, 927  # the target is as large as the paper's embolism set
MODES = ("frozen", "full")


def run_demo(out: Path, source_records: int = SOURCE_RECORDS, target_records: int = TARGET_RECORDS) -> list[Path]:
    """Simulate, prepare, pretrain, and train the target from scratch and carried over; returns the target's runs.

    Everything goes to `out`; what an earlier, interrupted demo finished there is used again.
    """
    source_recipe, target_recipe = load_recipe("demo"), load_recipe("demo-transfer")
    source = _collection(out, "superclasses", source_records, source_recipe)
    target = _collection(out, "embolism", target_records, source_recipe)
    say("\n1/3  a source network learns the five superclasses")
    pretrained = _evaluated(runs.train(source, source_recipe, out / "runs" / "source"), source)
    say("\n2/3  embolism from scratch")
    say(f"A reader who sees every planted sign reaches an AUC of {embolism_ceiling():.3f}; more than that is luck.")
    scratch = target_recipe.model_copy(update={"network": source_recipe.network, "signal": source_recipe.signal})
    finished = [_evaluated(runs.train(target, scratch, out / "runs" / "scratch"), target)]
    say("\n3/3  embolism from the source network")
    fitted = runs.recipe_for_transfer(Model.load(pretrained), target_recipe)
    for mode in MODES:
        recipe = fitted.with_changes([f"transfer.mode={mode}"])
        finished.append(_evaluated(runs.transfer(pretrained, target, recipe, out / "runs" / mode), target))
    return finished


def _collection(out: Path, kind: str, records: int, recipe: Recipe) -> Store:
    folder = out / "data" / kind
    if not folder.exists():
        simulate_collection(folder, kind, records, seed=recipe.seed)
    return open_store("simulated", folder, recipe.signal, folder=out / "stores")


def _evaluated(run: Path, store: Store) -> Path:
    metrics = runs.evaluate(Model.load(run), store, run / "test")
    say(
        f"{run.name}: test macro AUC {interval_text(metrics['macro']['auc'])} on {counted(metrics['records'], 'record')}"
    )
    return run
