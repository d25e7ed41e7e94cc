"""How a run came to its answers, in sentences: who read the ECGs, what it was shown and how it learned."""

from pathlib import PurePath

from ecgenough import baselines
from ecgenough.recipe import Recipe, Signal
from ecgenough.reports.run import Baseline, Data, Run
from ecgenough.sentences import counted, listing

MODES = {
    "scratch": "from scratch: every weight starts at random",
    "frozen": "transferred and frozen: only the classification layer learns",
    "full": "transferred, every weight learns on",
    "lp-ft": "transferred: the classification layer first, then every weight",
    "gradual": "transferred, thawed stage by stage from the classification layer down",
    "layerwise": "transferred, every weight learns, the slower the nearer to the input",
    "lora": "transferred, with small low-rank updates beside frozen weights",
}
NORMALISED = {"none": "not normalised", "scale": "each lead divided by its standard deviation in training"}
LOSSES = {
    "bce": "binary cross-entropy",
    "focal": "focal loss",
    "asymmetric": "asymmetric loss",
    "logit-adjusted": "logit-adjusted cross-entropy",
}


def mode_sentence(run: Run) -> str:
    """How the weights were found, and how many of them learned."""
    if isinstance(run.method, Baseline):
        return f"no network: {_baseline_words(run.method)}"
    text = MODES.get(run.mode, run.mode)
    if run.transfer:
        learned, everything = run.transfer.trained_parameters, run.transfer.all_parameters
        which = "all" if learned == everything else f"{learned:,} of"
        text += f"; {which} {everything:,} parameters, starting from {PurePath(run.transfer.source).name}"
    return text


def method_sentences(run: Run) -> list[tuple[str, str]]:
    """Who read the ECGs and the choices that matter most, each with its heading."""
    method = run.method
    if isinstance(method, Baseline):
        about = f"{method.baseline}: {_baseline_words(method)}"
        return [("Baseline", about), ("Signal", _signal_words(method.signal)), ("Seed", str(method.seed))]
    weights, told = mode_sentence(run), _recipe_sentences(method)
    if not run.has_epochs:
        weights, told = f"fitted at once: {baselines.describe('intervals')}", told[:1]
    return [
        ("Network", method.network.name),
        ("Weights", weights),
        *told,
        *_kept_out(run.data),
        ("Recipe", f"{method.fingerprint()}, seed {method.seed}"),
    ]


def _kept_out(data: Data) -> list[tuple[str, str]]:
    """Which records were kept from training and validation, where any were."""
    found = []
    if data.left_out:
        whose = f"{counted(data.left_out.patients, 'patient')} of {data.left_out.task}"
        found.append(f"{counted(data.left_out.records, 'record')} of {whose}")
    if data.repeated.left_out:
        found.append(f"{counted(data.repeated.left_out, 'copy', 'copies')} of a waveform that chooses or tests")
    return [("Kept from training", listing(found))] if found else []


def _baseline_words(baseline: Baseline) -> str:
    """What the baseline is; those of other versions may not be known here."""
    known = baseline.baseline in baselines.names()
    return baselines.describe(baseline.baseline) if known else "fitted to the training records"


def _recipe_sentences(recipe: Recipe) -> list[tuple[str, str]]:
    signal, crop, training = recipe.signal, recipe.crop, recipe.training
    section = "the whole record" if crop.seconds is None else f"sections of {crop.seconds:g} s"
    normalised = f"each {recipe.normalisation.across} normalised ({recipe.normalisation.kind})"
    scaled = NORMALISED.get(recipe.normalisation.kind, normalised)
    steps = listing(step.kind for step in recipe.augmentation.of) or "none"
    one_of = "one of " if recipe.augmentation.choose == "one" and recipe.augmentation.of else ""
    pace = f"AdamW at {recipe.optimizer.learning_rate:g}, {recipe.schedule.kind} schedule"
    return [
        ("Signal", f"{_signal_words(signal)}, {section}, {scaled}"),
        ("Augmentation", f"{one_of}{steps}"),
        (
            "Learning",
            f"{LOSSES[recipe.loss.kind]}, {pace}, {counted(training.epochs, 'epoch')} of batches of {training.batch}",
        ),
    ]


def _signal_words(signal: Signal) -> str:
    filtered = "no filter" if signal.filter.kind == "none" else f"{signal.filter.kind} filter"
    return f"{counted(len(signal.leads), 'lead')}, {signal.rate:g} Hz, {signal.duration:g} s, {filtered}"
