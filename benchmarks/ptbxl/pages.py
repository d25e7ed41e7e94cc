"""The model card that ships with a model, and the table of models beside published figures."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.ptbxl.figures import FEWEST, PARTS, Measured, by_group, calibration
from benchmarks.ptbxl.published import MACRO_AUC, NETWORKS
from benchmarks.ptbxl.twins import Twins
from ecgenough.ensembles import JOINED
from ecgenough.model import Model
from ecgenough.networks.caliper_trees import CaliperTrees
from ecgenough.networks.contract import parameter_count
from ecgenough.studies.outcome import interval_text

CARD = """\
# {name}

{what} for {count} tasks of PTB-XL: {tasks}. It reads 12-lead ECGs of 5 to
60 s at any rate (conditioned to {rate:g} Hz; of longer ones than {duration:g} s the answer is the mean over windows) and
gives a calibrated probability, a threshold and a call for each of {classes} classes. Made by
`python -m benchmarks.ptbxl`; every figure below is on PTB-XL fold {fold}.

**Use.** For research: {use}, for describing collections. **It is not a medical
device.** It must not be used to diagnose, to triage or to decide about anybody's care.

**Data.** Trained on folds {train} of PTB-XL 1.0.3; its {chosen} are chosen on fold {fold}, so
the figures here are somewhat too good, all but the calibration's. Fold 10 was never used. PTB-XL: Wagner P, Strodthoff N,
Bousseljot RD, Samek W, Schaeffter T, *PTB-XL, a large publicly available electrocardiography dataset* (2020),
https://physionet.org/content/ptb-xl/1.0.3/, licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/); these
weights are derived from it. {taught}{kept}{packages}.

## Figures
Macro mean over the classes of each task, on the records that carry one of them; 95% intervals from 1,000 resamples of
patients.

| task | classes | records | AUC | average precision | sensitivity | specificity |
| --- | --- | --- | --- | --- | --- | --- |
{figures}

## Sex and age
Macro AUC over the classes that at least {fewest} records of every group have and {fewest} have not.

{groups}

## Calibration
Expected calibration error (15 bins) and Brier score, mean over the classes, before and after Platt scaling of each class.
Each of {parts} parts of the patients is calibrated by the others. All classes: `{per_class}`.

| task | error before | error after | Brier before | Brier after |
| --- | --- | --- | --- | --- |
{calibration}

## Another rate
{twins}

## Known failures
- Of statements that few records carry, little is known: see the intervals of `ecgenough evaluate {name} ptb-xl --task all`.
- Thresholds maximise the geometric mean of sensitivity and specificity. For rare classes they are low, and most calls
  are false; choose your own where that matters.
- It was taught by one collection: resting ECGs of 10 s from one manufacturer's recorders, 1989 to 1996, read by few
  cardiologists. Other devices, populations, exercise, monitors and Holter recordings are untested.
- Labels are statements in reports, not outcomes; "normal" means that nothing else was written.
- Probabilities hold, as the figures do, among ECGs that carry a statement of that task. Fewer than half carry one of form:
  of all ECGs form statements are rarer than told; ask `all` for how likely they are there.
{short}- Leads other than III, aVR, aVL and aVF cannot be derived: a recording without one of I, II, V1 to V6 is refused.
{beats}"""
SHORT = """\
- What lasts less than 10 s is shown over again until it does ([figures](../../../../benchmarks/results/lengths.md)); below 5 s
  `ecgenough predict` says not to rely on it.
"""
BEATS = """\
- What lasts less than 10 s has fewer beats to measure ([figures](../../../../benchmarks/results/lengths.md)).
- Where fewer than three beats are found nothing is measured, and the answer is that of any such recording; where T or noise is
  taken for beats, the measurements are wrong. A measurement near what a tree asks for can turn over by a sample's noise.
"""

TABLE = """\
# Models on PTB-XL

```
python -m benchmarks.ptbxl train NAME --data data/ptb-xl --out runs/NAME
python -m benchmarks.ptbxl install NAME runs/NAME --data data/ptb-xl --twins data/ptb-xl-500hz
```

The first trains a model of the package by the recipe of its name in `src/ecgenough/recipes/`, and goes on where it was if
it is stopped. `ptbxl-teacher` learns from labels alone. `ptbxl-base` and `ptbxl-small` learn also from what came before them,
the models of the package, both from both ("born again", Furlanello et al. 2018). To begin from labels alone, train
`ptbxl-teacher` and add `--set 'distillation.teachers=[runs/ptbxl-teacher]'`. And they learn from boosted trees on measured
intervals (`ecgenough baseline intervals`), which are fitted on the spot, each patient answered by trees fitted on others.
`ptbxl-calipers` is such trees, fitted on all: they know what these networks do not find ([searches.md](searches.md), which also
says where a repeated training differs). The second command puts a model into the package with its card and writes this page;
`--twins` is a folder of PTB-XL with `records500`.

With a GPU, `python -m benchmarks.ptbxl leaderboard ptbxl-teacher --data data/ptb-xl --out runs/board` trains five members,
joins them and teaches one network by them. `python -m benchmarks.ptbxl confirm ptbxl-teacher --data data/ptb-xl --out runs/folds`
asks of every choice of the recipe whether it holds with each of the folds 1-9 left out in turn.
[searches.md](searches.md) tells what was tried before these recipes stood; `results/` has each training's log.

Macro AUC at 100 Hz; "joined" is {joined}, the mean of their log-odds. Ours: fold {fold}, which
also chose the epoch and what is joined, with 95% intervals over patients. Published: fold 10, from Strodthoff et al. 2021
(doi:10.1109/JBHI.2020.3022989). Different folds: read them side by side, not as a ranking.

{table}
"""
SHOWN = ("auc", "average_precision", "sensitivity", "specificity")


def card(
    name: str, model: Model, tasks: Mapping[str, Measured], fold: int, per_class: str, twins: Twins | None = None
) -> str:
    """The model card of a shipped model, as Markdown."""
    train, by_gradients = model.origin["folds"]["train"], model.network.by_gradients
    return CARD.format(
        name=name,
        what=_what(model),
        use="as a starting point for transfer, as a baseline"
        if by_gradients
        else "joined with a network, as a baseline",
        count=len(tasks),
        tasks=", ".join(tasks),
        classes=len(model.classes),
        rate=model.recipe.signal.rate,
        duration=model.recipe.signal.duration,
        fold=fold,
        train=f"{train[0]}-{train[-1]}",
        taught=_taught(name, model),
        kept=_kept(model),
        chosen="epoch, calibration and thresholds" if by_gradients else "calibration and thresholds",
        short=SHORT if by_gradients else "",
        beats="" if by_gradients else BEATS,
        packages=f"Figures: ecgenough {version('ecgenough')}, PyTorch {version('torch')}, on a CPU",
        figures="\n".join(_figures(task, measured) for task, measured in tasks.items()),
        fewest=FEWEST,
        groups=_groups(tasks),
        parts=PARTS,
        per_class=per_class,
        twins=_twins(twins),
        calibration="\n".join(_calibration(task, measured) for task, measured in tasks.items()),
    )


def table(models: Mapping[str, Mapping[str, Mapping[str, Any]]], fold: int) -> str:
    """Macro AUCs of each model's tasks, {model: {task: {"value", "low", "high"}}}, beside the published ones."""
    heads = ["task", *("joined" if JOINED in name else name for name in models), *NETWORKS]
    joined = " and ".join(f"`{name}`" for name in models if JOINED in name) or "several models"
    rows = [
        [
            task,
            *(interval_text(dict(figures[task])) for figures in models.values()),
            *(f"{auc:.3f}" for auc in published),
        ]
        for task, published in MACRO_AUC.items()
        if all(task in figures for figures in models.values())
    ]
    return TABLE.format(
        fold=fold, joined=joined, table="\n".join(_row(row) for row in [heads, ["---"] * len(heads), *rows])
    )


def calibration_table(tasks: Mapping[str, Measured]) -> str:
    """Each class's calibration error and Brier score, before and after, as CSV."""
    lines = ["task,class,positives,error_before,error_after,brier_before,brier_after"]
    for task, measured in tasks.items():
        numbers = [column for pair in calibration(measured).values() for column in pair]
        positives = measured.labels.sum(axis=0)
        for place, label in enumerate(measured.classes):
            lines.append(f"{task},{label},{positives[place]}," + ",".join(f"{column[place]:.5f}" for column in numbers))
    return "\n".join(lines) + "\n"


def _what(model: Model) -> str:
    network = model.network
    if isinstance(network, CaliperTrees):
        classes, trees, _ = network.number.shape
        return f"Boosted trees on what calipers read off an ECG ({classes * trees:,} trees)"
    return f"One network ({model.recipe.network.name}, {parameter_count(network):,} parameters)"


def _kept(model: Model) -> str:
    epochs = f"Epoch {model.origin['epoch']} of {model.recipe.training.epochs} was kept. "
    return epochs if model.network.by_gradients else ""


def _taught(name: str, model: Model) -> str:
    settings = model.recipe.distillation
    if settings is None:
        return ""
    networks = (f"the {name} before it" if teacher == name else teacher for teacher in settings.teachers)
    *others, last = (*networks, *(f"the baseline {baseline}" for baseline in settings.baselines))
    named = f"{', '.join(others)} and {last}" if others else last
    return f"Taught by {named}, whose answers are {settings.weight:.0%} of each target. "


def _figures(task: str, measured: Measured) -> str:
    scores = measured.scores()
    shown = [interval_text(scores["macro"][name]) for name in SHOWN]
    return _row([task, str(len(measured.classes)), f"{scores['records']:,}", *shown])


def _groups(tasks: Mapping[str, Measured]) -> str:
    found = {task: by_group(measured) for task, measured in tasks.items()}
    found = {task: figures for task, figures in found.items() if figures[1]}
    heads = [
        "group",
        *(f"{task} ({classes} class{'es' if classes > 1 else ''})" for task, (_, classes) in found.items()),
    ]
    names = next(iter(found.values()))[0] if found else {}
    rows = [
        [name, *(f"{figures[name][1]:.3f} of {figures[name][0]:,}" for figures, _ in found.values())] for name in names
    ]
    return "\n".join(_row(row) for row in [heads, ["---"] * len(heads), *rows])


def _calibration(task: str, measured: Measured) -> str:
    means = [f"{np.mean(column):.4f}" for pair in calibration(measured).values() for column in pair]
    return _row([task, *means])


def _twins(twins: Twins | None) -> str:
    if twins is None:
        return "Not measured: `--twins` was not given."
    middle, most = np.percentile(twins.largest_of_each, [50, 95])
    return (
        f"{len(twins.fine):,} records as published at 500 Hz and at 100 Hz: probabilities differ by "
        f"{twins.mean_difference:.4f} in the mean; the class that differs most, by {middle:.3f} in half of the records and "
        f"{most:.3f} in one of twenty. {twins.same_calls:.1%} of the calls are the same."
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
