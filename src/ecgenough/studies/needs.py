"""What more ECGs to train on would do, in words that go no further than the learning curve does."""

from ecgenough.sentences import in_quotes
from ecgenough.studies.analysis import Analysis
from ecgenough.studies.learning_curve import LearningCurve, Need


def more_ecgs(analysis: Analysis) -> list[str]:
    """What more ECGs to train on would do, by the curve of the network that stands highest among those that have one."""
    curve = leading_curve(analysis)
    if curve is None:
        return ["How many ECGs would be needed was not studied: no network was trained on several sizes."]
    if curve.why_not:
        return [f"How many ECGs would be needed cannot be said: {curve.why_not}."]
    middle, low, high = curve.doubled()
    text = (
        f"Twice the {curve.largest:,.0f} training ECGs would take {in_quotes(curve.arm)} from an AUC of "
        f"{curve.points[-1].figure.value:.3f} to about {middle:.3f} ({low:.3f}–{high:.3f})"
    )
    return [f"{text}; {'; '.join(need_words(need, curve) for need in curve.needs)}." if curve.needs else f"{text}."]


def leading_curve(analysis: Analysis) -> LearningCurve | None:
    """The learning curve of the highest network that has one; None where none was trained on several sizes."""
    by_arm = {curve.arm: curve for curve in analysis.curves}
    names = [one.name for one in analysis.standings if one.arm.is_network]
    return next((by_arm[name] for name in names if name in by_arm), None)


def need_words(need: Need, curve: LearningCurve) -> str:
    """How many ECGs a goal takes; beyond the horizon nothing is told but that it lies there."""
    horizon = f"{curve.horizon:,.0f}"
    if need.middle is None:
        if need.low is None:
            return f"{need.what} is not in reach of {horizon} ECGs, and further these sizes do not let one look"
        least = f"{need.what} might take as few as {round_up(need.low)}"
        return f"{least}, or more than {horizon}, further than these sizes let one look"
    most = "more than " + horizon if need.high is None else round_up(need.high)
    least = "fewer" if need.low is None else round_up(need.low)
    return f"{need.what} would take about {round_up(need.middle)} ({least} to {most})"


def round_up(records: float) -> str:
    """Two significant digits: a curve knows no more."""
    digits = max(0, len(str(int(records))) - 2)
    step = 10**digits
    return f"{-(-int(records) // step) * step:,}"
