"""Scores of predictions with their uncertainty: labels and probabilities in, numbers out. Pure numpy and scipy."""

from ecgenough.scoring.calibration import (
    Calibration,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    reliability_curve,
)
from ecgenough.scoring.comparison import (
    corrected_resampled_t_test,
    delong_interval,
    delong_test,
    holm,
    paired_bootstrap,
)
from ecgenough.scoring.intervals import score, skipped_resamples
from ecgenough.scoring.metrics import (
    METRICS,
    Metrics,
    Predictions,
    Unscorable,
    absent_classes,
    auc,
    average_precision,
    g_mean,
    macro_mean,
    measure,
    pr_curve,
    roc_curve,
)
from ecgenough.scoring.thresholds import RULES, Thresholds, choose_thresholds

__all__ = [
    "METRICS",
    "RULES",
    "Calibration",
    "Metrics",
    "Predictions",
    "Thresholds",
    "Unscorable",
    "absent_classes",
    "auc",
    "average_precision",
    "choose_thresholds",
    "corrected_resampled_t_test",
    "delong_interval",
    "delong_test",
    "expected_calibration_error",
    "fit_platt",
    "fit_temperature",
    "g_mean",
    "holm",
    "macro_mean",
    "measure",
    "paired_bootstrap",
    "pr_curve",
    "reliability_curve",
    "roc_curve",
    "score",
    "skipped_resamples",
]
