"""What a search is: a recipe, the space of its keys, the figure that judges, and how values are drawn and given up."""

from dataclasses import dataclass
from typing import Any

from ecgenough.errors import WrongRequest, nearest
from ecgenough.recipe import Recipe
from ecgenough.studies.search_space import SearchSpace
from ecgenough.studies.trials import SAMPLERS, Direction
from ecgenough.studies.with_optuna import optuna

METRICS = ("macro_auc", "macro_average_precision", "loss")
PRUNERS = ("median", "hyperband", "none")


@dataclass(frozen=True)
class Search:
    """What is searched, and how: the recipe, the space of its keys, the validation figure that judges, the sampler."""

    recipe: Recipe
    space: SearchSpace
    metric: str
    sampler: str = "tpe"
    pruner: str = "median"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises WrongRequest for an unknown name, or a recipe that does not train from scratch on labels."""
        for what, name, known in (
            ("metric", self.metric, METRICS),
            ("sampler", self.sampler, tuple(SAMPLERS)),
            ("pruner", self.pruner, PRUNERS),
        ):
            if name not in known:
                raise WrongRequest(f'{what} "{name}" is unknown. {nearest(name, known)}')
        if self.recipe.transfer is not None or self.recipe.pretraining is not None:
            raise WrongRequest(
                "a search trains from scratch on labels; take a recipe without transfer and pretraining."
            )

    @property
    def figure(self) -> str:
        """The column of log.csv that judges."""
        return f"validation_{self.metric}"

    @property
    def direction(self) -> Direction:
        """Which way the figure is better."""
        return "minimize" if self.metric == "loss" else "maximize"

    @property
    def most_epochs(self) -> int:
        """The longest that a trial may train."""
        epochs = self.space.keys.get("training.epochs")
        return int(max(map(float, map(str, epochs.tried)))) if epochs else self.recipe.training.epochs

    def to_settings(self) -> dict[str, Any]:
        """Plain values that tell this search from another one."""
        recipe, space = self.recipe.model_dump(mode="json"), self.space.to_settings()
        names = {"metric": self.metric, "sampler": self.sampler, "pruner": self.pruner, "seed": self.seed}
        return {"recipe": recipe, "space": space, **names}


def pruner(search: Search) -> Any:
    """Optuna's pruner of that name, for trainings as long as the search's."""
    epochs = search.most_epochs
    if search.pruner == "median":  # rates rise through the first epochs: a fifth of them tells nothing yet
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, epochs // 5) + 1)
    if search.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
    return optuna.pruners.NopPruner()
