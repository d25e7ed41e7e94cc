"""The Recipe value: what it accepts, what it refuses and how, and that it survives printing and reading."""

from contextlib import suppress

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
        ("loss.gama=2", 'key "loss.gama" is unknown. Nearest: "loss.gamma".'),
        ("signal.filter.low=3", 'key "signal.filter.low" does not go with "none".'),
        ("augmentation.of=[{kind: sine, amplitud: 3}]", 'Nearest: "augmentation.of.0.amplitude".'),
        ("training.epochs=0", 'key "training.epochs": input should be greater than or equal to 1 (it is 0).'),
        ("loss.kind=fokal", 'key "loss": input tag'),
        ("signal.leads=[I, V9]", 'lead "V9" is not one of the twelve'),
        ("signal.leads=[I, I]", "name each lead once"),
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
