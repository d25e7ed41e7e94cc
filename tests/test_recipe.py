"""The Recipe value: what it accepts, what it refuses and how, and that it survives printing and reading."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgenough import networks
from ecgenough.errors import WrongRequest
from ecgenough.recipe import Recipe, load_recipe, shipped


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_reads_prints_and_builds(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    network = networks.build(recipe.network.name, leads=len(recipe.signal.leads), classes=3, **recipe.network.options)
    assert network.classes == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("optimizer.learning_rat=1", 'key "optimizer.learning_rat" is unknown. Nearest: "optimizer.learning_rate".'),
        ("loss.gama=2", 'key "loss.gama" is unknown. Nearest: "loss.gamma", of another kind than "bce".'),
        ("augmentation.of=[{kind: flip, foo: 1}]", 'key "augmentation.of.0.foo" is unknown. Known of flip: kind.'),
        ("augmentation.of=[{kind: flip, fraction: 1}]", 'key "augmentation.of.0.fraction" does not go with "flip".'),
        ("signal.filter.low=3", 'key "signal.filter.low" does not go with "none".'),
        ("augmentation.of=[{kind: sine, amplitud: 3}]", 'Nearest: "augmentation.of.0.amplitude".'),
        ("training.epochs=0", 'key "training.epochs" is 0; it must be at least 1.'),
        (
            "loss.kind=fokal",
            'key "loss.kind" is "fokal"; it must be one of bce, focal, asymmetric, logit-adjusted. Nearest',
        ),
        (
            "schedule={warmup: 0.1}",
            'key "schedule.kind" is missing; it must be one of constant, step, one-cycle, cosine.',
        ),
        ("signal.leads=[I, MLII]", 'lead "MLII" is not one of the twelve: I, II, III, aVR'),
        ("signal.rate=.inf", 'key "signal.rate" is Infinity; it must be a finite number.'),
        ("loss.positive_weight=count", 'is "count"; it must be counts, or a list in brackets, such as [a, b].'),
        ("loss.positive_weight=[1, -2]", 'key "loss.positive_weight.1" is -2; it must be above 0.'),
        ("optimizer.betas=[0.9]", 'key "optimizer.betas" has too few values; it must have 2.'),
        ("crop=5", 'key "crop" is 5; it must be a mapping of keys such as seconds, evaluation.'),
        ("signal.leads=[I, V9]", 'lead "V9" is not one of the twelve'),
        ("signal.leads=[I, I]", "name each lead once"),
        ("seed=4294967296", 'key "seed" is 4294967296; it must be at most 4294967295.'),
        ("seed.x=1", '"seed" has no keys inside'),
        ("epochs", "not of the form key=value"),
        ("training=[", "the value is not YAML"),
    ],
)
def test_a_wrong_change_is_refused_with_what_is_right(change: str, sentence: str) -> None:
    with pytest.raises(WrongRequest) as refusal:
        Recipe().with_changes([change])
    assert sentence in str(refusal.value)


def test_another_kind_brings_its_own_defaults() -> None:
    recipe = Recipe().with_changes(["loss.positive_weight=counts", "loss.kind=focal", "loss.gamma=3"])
    assert recipe.loss.model_dump() == {"kind": "focal", "alpha": 0.7, "gamma": 3.0, "label_smoothing": 0.0}


def test_lead_names_come_in_any_spelling() -> None:
    assert Recipe().with_changes(["signal.leads=[AVR, v1, ii]"]).signal.leads == ("aVR", "V1", "II")


def test_the_fingerprint_follows_every_value() -> None:
    recipe = Recipe()
    assert recipe.fingerprint() == Recipe.from_yaml(recipe.to_yaml()).fingerprint()
    assert recipe.fingerprint() != recipe.with_changes(["seed=1"]).fingerprint()


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(WrongRequest, match='Nearest: "default"'):
        load_recipe("defualt")


@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_one_sentence(text: str) -> None:
    with suppress(WrongRequest):
        assert isinstance(Recipe.from_yaml(text), Recipe)


# --- every choice and every bound of a recipe, as its JSON schema states them -------------------------------------------

Wrong = tuple[
    dict[str, Any], str, str, str
]  # settings, the key they are wrong in, what the sentence says of it, nearest
SCHEMA = Recipe.model_json_schema()
BOUNDS = {
    "exclusiveMinimum": lambda bound: (bound, f"above {bound:g}"),
    "minimum": lambda bound: (bound - 1, f"at least {bound:g}"),
    "exclusiveMaximum": lambda bound: (bound, f"below {bound:g}"),
    "maximum": lambda bound: (bound + 1, f"at most {bound if isinstance(bound, int) else format(bound, 'g')}"),
}
TYPES = {"integer": "a whole number", "number": "a number", "array": "a list in brackets, such as [a, b]"}


def _wrong(schema: dict[str, Any], wrap: Callable[[Any], Any], key: str) -> Iterator[Wrong]:
    """Every wrong value of what `schema` describes; `wrap` makes whole settings of a value, which `key` names."""
    schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        yield from _wrong(options[0], wrap, key)
    if "discriminator" in schema:
        yield from _wrong_kinds(schema["discriminator"], wrap, key)
    for name, inner in schema.get("properties", {}).items():
        if "const" not in inner:  # a kind: its section's discriminator tells of it
            yield from _wrong(inner, lambda value, name=name: wrap({name: value}), f"{key}.{name}".strip("."))
    if isinstance(schema.get("items"), dict):
        yield from _wrong(schema["items"], lambda value: wrap([value]), f"{key}.0")
    for option in schema.get("enum", ()):
        yield wrap(f"{option}x"), key, ("it must be one of", *schema["enum"]), option
    for bound in BOUNDS.keys() & schema.keys():
        value, demand = BOUNDS[bound](schema[bound])
        yield wrap(value), key, (f"it must be {demand}.",), ""
    if schema.get("type") in TYPES:
        yield wrap("words"), key, (f"it must be {TYPES[schema['type']]}.",), ""
    if "properties" in schema:
        yield wrap(5), key, ("must be a",), ""


def _wrong_kinds(choice: dict[str, Any], wrap: Callable[[Any], Any], key: str) -> Iterator[Wrong]:
    name, kinds = choice["propertyName"], choice["mapping"]
    for kind, place in kinds.items():
        yield wrap({name: f"{kind}x"}), f"{key}.{name}", ("it must be one of", *kinds), kind

        def of_kind(value: Any, kind: str = kind) -> Any:
            return wrap({name: kind, **value} if isinstance(value, dict) else value)

        yield from _wrong({"$ref": place}, of_kind, key)


EVERY_WRONG = list(_wrong(SCHEMA, lambda value: value, ""))


def test_there_is_much_to_be_wrong() -> None:
    keys = {key for _, key, _, _ in EVERY_WRONG}
    assert keys >= {
        "schedule.kind",
        "signal.filter.kind",
        "augmentation.of",
        "training.select",
        "transfer.mode",
        "seed",
    }
    assert len(EVERY_WRONG) > 150


@pytest.mark.parametrize(("settings", "key", "demand", "near"), EVERY_WRONG)
def test_each_wrong_value_is_one_sentence_with_key_and_what_is_allowed(
    settings: Any, key: str, demand: tuple[str, ...], near: str
) -> None:
    with pytest.raises(WrongRequest) as refusal:
        Recipe.of(settings)
    sentence = str(refusal.value)
    assert sentence.startswith(f'recipe key "{key}" ' if key else "recipe must be a YAML mapping")
    assert all(words in sentence for words in demand)
    assert (f'Nearest: "{near}".' in sentence) if near else ("Nearest" not in sentence)
    assert not re.search("[Ii]nput|tag|valid|instance|\n", sentence)
