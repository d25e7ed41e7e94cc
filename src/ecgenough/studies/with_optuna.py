"""Optuna, which only searches need: imported here alone, so that its absence is one sentence."""

from typing import TYPE_CHECKING

from ecgenough.extras import needed

if TYPE_CHECKING:
    import optuna as optuna
    from optuna.distributions import BaseDistribution as BaseDistribution
    from optuna.samplers import BaseSampler as BaseSampler
    from optuna.study import Study as Study
    from optuna.trial import FrozenTrial as FrozenTrial
    from optuna.trial import Trial as Trial
    from optuna.trial import TrialState as TrialState
else:
    optuna = needed("optuna", "tune", "ecgenough tune")
    BaseDistribution, BaseSampler = optuna.distributions.BaseDistribution, optuna.samplers.BaseSampler
    Study, FrozenTrial, Trial = optuna.study.Study, optuna.trial.FrozenTrial, optuna.trial.Trial
    TrialState = optuna.trial.TrialState
