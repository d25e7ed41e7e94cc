"""The Study value: which networks, prepared and carried over in which ways, are compared on which records.

A study prints and reads as YAML, every value spelled out, as a recipe does; an unknown key is refused with the nearest
known one. `arms` says what is compared, with the recipes in full; `plan` turns it into cells, one training each.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from ecgenough import baselines, networks
from ecgenough.complaints import first_complaint
from ecgenough.errors import WrongRequest
from ecgenough.model import Model
from ecgenough.recipe import Count, Network, Recipe, Section, Seed, change_setting, load_recipe
from ecgenough.settings import read_settings, shipped_names
from ecgenough.studies.runs import recipe_for_transfer

FOLDER = "study_files"  # of the package
SCRATCH = "scratch"
FIXED = ("signal", "crop", "normalisation", "network")  # what a pretrained network fixes for whoever carries it over

Mode = Literal["scratch", "frozen", "full", "lp-ft", "gradual", "layerwise", "lora"]
Changes = dict[str, Any]  # recipe keys such as training.epochs, and their values


class Simulation(Section):
    """A collection that the study simulates for itself, as `ecgenough simulate` does."""

    kind: Literal["superclasses", "embolism"] = "embolism"
    records: Count = 927
    seed: Seed = 0
    rate: Literal[100, 500] = 500


class Collection(Section):
    """Records and their labels: `data` is a known name, a manifest or a store's folder, `folder` where its files lie.

    Instead of these, `simulate` makes the records. `task` is the collection's own default unless told.
    """

    data: str | None = None
    folder: str | None = None
    task: str | None = None
    simulate: Simulation | None = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        """Raise ValueError unless it says which records, and in one way."""
        if (self.data is None) == (self.simulate is None):
            raise ValueError("say which records: data, a known name or a manifest, or else simulate")


class Source(Collection):
    """What networks learn first; `set` changes the network's recipe for that.

    Or `model`, a shipped model's name or a model's or run's folder, which is carried over as it is, beside the networks; its
    network is what `scratch` trains, once for all models of that network.
    """

    set: Changes = Field(default_factory=dict)
    model: str | None = None

    def check(self) -> None:
        """As of any collection; a model brings its own records."""
        if self.model is None:
            super().check()
        elif further := [name for name, value in self if value and name != "model"]:
            raise ValueError(f"a model has been trained already; leave out {further[0]}")


class Learner(Section):
    """A recipe, shipped or a file of your own, and changes of its keys."""

    recipe: str = "default"
    set: Changes = Field(default_factory=dict)


class Published(Section):
    """Train, choose and test on the folds that the collection states, once."""

    kind: Literal["published"] = "published"


class Folds(Section):
    """Every record is tested once a repeat: `folds` stratified folds of whole patients, dealt anew for each repeat.

    Of the patients that are not tested, `validation` of them are kept to choose on; nothing is chosen on the tested.
    """

    kind: Literal["k-fold"] = "k-fold"
    folds: Annotated[int, Field(ge=2)] = 5
    repeats: Count = 1
    validation: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    seed: Seed = 0


Resampling = Annotated[Published | Folds, Field(discriminator="kind")]


class Study(Section):
    """A comparison: every network x variant x way of transfer, on every target, seed, repeat, fold and size.

    `on_target` is how a target is learned, from scratch or carried over; each network's own recipe unless told. Signal,
    crop, normalisation and network always come from the network's recipe. `vary` multiplies the networks: recipe keys
    with the values each takes. `sizes` are numbers of training records for a learning curve, beside all there are.
    """

    title: str = ""
    sources: dict[str, Source] = Field(default_factory=dict)
    targets: Annotated[dict[str, Collection], Field(min_length=1)]
    networks: dict[str, Learner] = Field(default_factory=dict)
    on_target: Learner | None = None
    modes: Annotated[tuple[Mode, ...], Field(min_length=1)] = ("scratch", "frozen", "full")
    vary: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(default_factory=dict)
    resampling: Resampling = Folds()
    sizes: tuple[Count, ...] = ()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    baselines: tuple[str, ...] = baselines.names()
    keep_models: bool = False

    @field_validator("modes", "sizes", "seeds", "baselines")
    @classmethod
    def _once_each(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) != len(values):
            raise ValueError("name each once")
        return values

    @model_validator(mode="after")
    def _something_to_carry(self) -> Self:
        if not self.sources and self.modes != (SCRATCH,):
            raise ValueError("modes other than scratch need sources; name one, or set modes: [scratch]")
        if self.sources and self.modes == (SCRATCH,):
            raise ValueError("sources are of no use to modes: [scratch]; leave them out, or add frozen or full")
        if not self.networks and not any(source.model for source in self.sources.values()):
            raise ValueError("name networks to be compared, or a source that is a model")
        return self

    @classmethod
    def of(cls, settings: Mapping[str, Any], where: str = "study") -> Self:
        """Validate plain values, the recipes and names in them too. Raises WrongRequest naming the first wrong key."""
        try:
            study = cls.model_validate(settings)
        except ValidationError as error:
            raise WrongRequest(_complaint(error, cls, where)) from None
        for name in study.baselines:
            baselines.describe(name)
        study.arms()
        return study

    def to_yaml(self) -> str:
        """The whole study as YAML, every value spelled out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=120, default_flow_style=None)

    def arms(self) -> "tuple[Arm, ...]":
        """The configurations that are compared. Raises WrongRequest for a recipe, key or network that is none."""
        if self.on_target is not None:
            _refuse_fixed(self.on_target.set, "on_target.set")
        for name, source in self.sources.items():
            _refuse_fixed(source.set, f"sources.{name}.set")
        networks = [arm for network in self.networks for arm in self._arms_of(network)]
        return (
            *networks,
            *(arm for name, source in self.sources.items() if source.model for arm in self._carried(name)),
        )

    def _arms_of(self, network: str) -> "Iterator[Arm]":
        """The arms of one network: each variant from scratch, then carried over from each source in each mode."""
        own = self.networks[network]
        learner = self.on_target or own
        network_recipe, learner_recipe = _recipe_of(own), _recipe_of(learner)
        carried = [mode for mode in self.modes if mode != SCRATCH]
        for variant in _variants(self.vary):
            varied = _as_texts(variant)
            recipe = network_recipe.with_changes([text for text in varied if text.split(".")[0] in FIXED])
            _check_recipe(recipe, f"networks.{network}")
            if carried and recipe.network.name in networks.FITTED:
                raise WrongRequest(
                    f'study key "networks.{network}": {recipe.network.name} does not learn by gradients, so it is not carried '
                    "over. Leave it out, or set modes: [scratch] without sources."
                )
            fixed = {part: getattr(recipe, part) for part in FIXED}
            learned = learner_recipe.with_changes(varied).model_copy(update=fixed)
            networks.check_recipe(learned)
            name = " ".join([network, *(f"{key}={_short(value)}" for key, value in variant.items())])
            if SCRATCH in self.modes:
                scratch = learned.model_copy(update={"transfer": None})
                yield Arm(f"{name} {SCRATCH}", network, learner.recipe, SCRATCH, "", scratch, None)
            for source, about in self.sources.items():
                if about.model:
                    continue
                pretraining = recipe.with_changes(_as_texts(about.set))
                for mode in carried:
                    whole = f"{name} {mode} from {source}" if len(self.sources) > 1 else f"{name} {mode}"
                    changed = learned.with_changes([f"transfer.mode={mode}"])
                    yield Arm(whole, network, learner.recipe, mode, source, changed, pretraining)

    def _carried(self, source: str) -> "Iterator[Arm]":
        """The arms of a source that is a model: each variant of how it goes on learning, its network fresh and in each mode.

        Models of one network share it fresh: they are its arms, told apart by their names as sources.
        """
        learner = self.on_target or Learner(recipe="transfer")
        _refuse_fixed(self.vary, "vary", f"source {source}, which is a model")
        model = str(self.sources[source].model)
        alike = self._models_alike(source)
        for variant in _variants(self.vary):
            recipe = recipe_for_transfer(Model.load(model), _recipe_of(learner).with_changes(_as_texts(variant)))
            network = _spelled(recipe.network) if len(alike) > 1 else source
            name = " ".join([network, *(f"{key}={_short(value)}" for key, value in variant.items())])
            for mode in self.modes:
                if mode == SCRATCH:
                    if source == alike[0]:
                        fresh = recipe.model_copy(update={"transfer": None})
                        yield Arm(f"{name} {SCRATCH}", network, learner.recipe, SCRATCH, "", fresh, None)
                else:
                    whole = f"{name} {mode} from {source}" if len(alike) > 1 else f"{name} {mode}"
                    changed = recipe.with_changes([f"transfer.mode={mode}"])
                    yield Arm(whole, network, learner.recipe, mode, source, changed, None, model)

    def _models_alike(self, source: str) -> list[str]:
        """The sources that are models of the same network, prepared alike, itself among them, in the study's order."""
        models = {name: Model.load(about.model).recipe for name, about in self.sources.items() if about.model}
        parts = {name: [getattr(recipe, part) for part in FIXED] for name, recipe in models.items()}
        return [name for name in parts if parts[name] == parts[source]]


@dataclass(frozen=True)
class Arm:
    """One of the configurations compared; `name` tells it from the others, whatever the seed, repeat, fold and target.

    `network` is the study's name for it, `learner` the recipe's. `pretraining` is how its source is learned, None from
    scratch, and None too where it is the model `model`. Task and seed are not in the recipes yet.
    """

    name: str
    network: str
    learner: str
    mode: str
    source: str
    recipe: Recipe
    pretraining: Recipe | None
    model: str = ""


def shipped_studies() -> tuple[str, ...]:
    """The names of the studies that come with the package."""
    return shipped_names(FOLDER)


def load_study(name_or_path: str, changes: Iterable[str] = ()) -> Study:
    """A shipped study by name or one of your own by path, after `key=value` changes such as `targets.pe.data=pe.csv`.

    Raises WrongRequest when there is neither, or a key or value does not fit.
    """
    settings = read_settings(name_or_path, FOLDER, "study")
    for change in changes:
        change_setting(settings, change, "study")
    return Study.of(settings, name_or_path)


def _complaint(error: ValidationError, model: type[Study], where: str) -> str:
    """The first complaint; one about the study as a whole names no key."""
    first = error.errors(include_url=False)[0]
    if first["loc"]:
        return first_complaint(error, model, where)
    return f"{where}: {first['msg'].removeprefix('Value error, ')}."


def _check_recipe(recipe: Recipe, where: str) -> None:
    networks.check_recipe(recipe)
    if recipe.pretraining is not None:
        raise WrongRequest(f'study key "{where}": its recipe pretrains without labels, which a study cannot do.')


def _refuse_fixed(changes: Iterable[str], where: str, owner: str = "") -> None:
    """What a network is and is shown must be the same on source and target."""
    key = next((key for key in changes if key.split(".")[0] in FIXED), None)
    if key is not None:
        way_out = (
            f"belongs to {owner}; leave one of the two out"
            if owner
            else "belongs to the networks; set it there, or vary it"
        )
        raise WrongRequest(f'study key "{where}": {key} {way_out}.')


def _recipe_of(learner: Learner) -> Recipe:
    return load_recipe(learner.recipe, _as_texts(learner.set))


def _variants(vary: Mapping[str, tuple[Any, ...]]) -> list[Changes]:
    return [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]


def _as_texts(changes: Changes) -> list[str]:
    """Changes as `Recipe.with_changes` takes them; JSON is YAML too."""
    return [f"{key}={json.dumps(value)}" for key, value in changes.items()]


def _spelled(network: Network) -> str:
    return " ".join([network.name, *(f"{key}={_short(value)}" for key, value in network.options.items())])


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
