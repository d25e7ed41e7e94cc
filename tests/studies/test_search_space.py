"""Search spaces: what is read, what fits a recipe, and every refusal before the first trial."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgenough.errors import WrongRequest
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.settings import shipped_names
from ecgenough.studies.search_space import FOLDER, Choices, Range, load_space, read_space

CRNN = load_recipe("paper-crnn_gru")


@pytest.mark.parametrize(("space", "recipe"), [("paper", "paper-crnn_gru"), ("default", "default")])
def test_every_shipped_space_fits_its_recipe(space: str, recipe: str) -> None:
    assert set(shipped_names(FOLDER)) == {"paper", "default"}
    assert load_space(space, load_recipe(recipe)).keys


def test_the_paper_s_space_is_the_paper_s() -> None:
    """Marques & Oliveira 2025: learning rate 1e-6..1e-2 (log), normalisation, layers, hidden, dropout, bidirectional."""
    keys = load_space("paper", CRNN).keys
    rate = keys["optimizer.learning_rate"]
    assert isinstance(rate, Range)
    assert (rate.low, rate.high, rate.log) == (1e-6, 1e-2, True)
    choices = {key: values.choices for key, values in keys.items() if isinstance(values, Choices)}
    assert choices == {
        "normalisation.kind": ("none", "min-max", "z-score", "robust", "log", "l2"),
        "network.options.layers": (1, 2, 4),
        "network.options.hidden": (128, 256, 512),
        "network.options.dropout": (0.0, 0.1, 0.3),
        "network.options.bidirectional": (False, True),
    }


def test_a_range_is_of_whole_numbers_where_the_key_takes_no_others() -> None:
    keys = read_space(
        """
        training.epochs: {low: 2, high: 6}
        network.options.hidden: {low: 64, high: 256, step: 64}
        optimizer.weight_decay: {low: 0, high: 1}
        optimizer.learning_rate: {low: 1e-6, high: 1e-2, log: true}
        """,
        CRNN,
    ).keys
    whole = {key: values.whole for key, values in keys.items() if isinstance(values, Range)}
    assert whole == {
        "training.epochs": True,
        "network.options.hidden": True,
        "optimizer.weight_decay": False,
        "optimizer.learning_rate": False,
    }


def test_values_go_where_their_keys_say_whatever_their_order() -> None:
    text = "loss.gamma: {choices: [1, 3]}\nloss.kind: {choices: [focal]}\nnetwork.options.width: {low: 4, high: 8}\n"
    space = read_space(f"{text}network.name: {{choices: [resnet18, resnet34]}}", Recipe())
    recipe = space.recipe(
        Recipe(), {"loss.gamma": 3, "loss.kind": "focal", "network.options.width": 8, "network.name": "resnet34"}
    )
    assert recipe.loss.model_dump() == {"kind": "focal", "alpha": 0.7, "gamma": 3.0, "label_smoothing": 0.0}
    assert (recipe.network.name, recipe.network.options) == ("resnet34", {"width": 8})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("optimizer.learning_rat: {low: 1, high: 2}", 'unknown. Nearest: "optimizer.learning_rate".'),
        ("network.options.layer: {choices: [1]}", 'key "network.options.layer" is unknown. Nearest: "layers".'),
        (
            "network.options.hidden: {choices: [128, much]}",
            'key "network.options.hidden" is "much"; it must be a whole number',
        ),
        ("training.epochs: {low: 0, high: 3}", 'key "training.epochs" is 0; it must be at least 1'),
        ("optimizer.learning_rate: {low: 2, high: 1}", "low must be below high"),
        ("optimizer.learning_rate: {low: 0, high: 1, log: true}", "log needs a low above 0"),
        ("optimizer.learning_rate: {low: 0.1, high: 1, lag: true}", 'Nearest: "log"'),
        ("optimizer.learning_rate: {low: 0.1, high: 1, step: 2}", "wider than the range"),
        ("optimizer.learning_rate: {choices: []}", "at least 1 item"),
        ("optimizer.learning_rate: {choices: [1, 1]}", "name each choice once"),
        ("optimizer.learning_rate: [1, 2]", "must say {low: , high: } or {choices: [...]}"),
        ("optimizer: {learning_rate: {low: 1, high: 2}}", "in full, such as optimizer.learning_rate"),
        ("loss.kind: {choices: [bce, focal]}\nloss.gamma: {low: 1, high: 2}", '"loss.gamma" does not go with "bce"'),
        ("crop.seconds: {choices: [5, 12]}", "crop.seconds of 12 does not fit"),
        ("signal.rate: {choices: [10, 100]}", "signal.rate is 10 Hz"),
        ("seed: {low: 1, high: 9}", "a lucky seed is no setting"),
        ("task: {choices: [all, form]}", "figures of different tasks do not compare"),
        ("transfer.mode: {choices: [full, frozen]}", "a search trains from scratch"),
        ("", "it must be a YAML mapping of keys"),
        ("{}", "it must be recipe keys"),
        ("[1]", "it must be a YAML mapping of keys"),
        ("a: {", "is not YAML"),
    ],
)
def test_a_space_that_does_not_fit_is_refused_with_what_is_right(text: str, sentence: str) -> None:
    with pytest.raises(WrongRequest) as refusal:
        read_space(text, CRNN, "mine.yaml")
    assert sentence in str(refusal.value)
    assert str(refusal.value).startswith("mine.yaml")


def test_an_unknown_space_names_the_nearest() -> None:
    with pytest.raises(WrongRequest, match='Nearest: "paper"'):
        load_space("papr", CRNN)


@given(st.text(max_size=120))
@settings(max_examples=30)
def test_any_text_is_a_space_or_one_sentence(text: str) -> None:
    with suppress(WrongRequest):
        assert read_space(text, CRNN).keys
