"""The Study value: what it prints it reads, what it does not know it refuses by the nearest name, what it compares."""

from typing import Any

import pytest
import yaml

from ecgenough.errors import WrongRequest
from ecgenough.model import Model
from ecgenough.studies.plan import plan_study
from ecgenough.studies.study import FIXED, Study, load_study, shipped_studies

QUICK = yaml.safe_load(load_study("quick").to_yaml())


def test_a_study_reads_what_it_prints() -> None:
    for name in shipped_studies():
        study = load_study(name)
        assert Study.of(yaml.safe_load(study.to_yaml())) == study


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("targets.embolism.dat=x", 'key "targets.embolism.dat" is unknown. Nearest: "targets.embolism.data"'),
        ("networks.resnet18.recip=fast", 'Nearest: "networks.resnet18.recipe"'),
        ("resampling.fold=3", 'Nearest: "resampling.folds"'),
        ("mods=[full]", 'key "mods" is unknown. Nearest: "modes"'),
        ("modes=[scratch, frozn]", "modes.1"),
        ("networks.resnet18.recipe=dem", 'recipe "dem" is neither shipped nor a file. Nearest: "demo"'),
        ("networks.resnet18.set={training.epoch: 3}", 'Nearest: "training.epochs"'),
        ("networks.resnet18.set={network.name: resnet19}", 'network "resnet19" is unknown'),
        ("on_target.set={signal.rate: 500}", "signal.rate belongs to the networks"),
        ("sources.superclasses.set={crop.seconds: 2}", "crop.seconds belongs to the networks"),
        ("vary={crop.second: [2.5]}", 'Nearest: "crop.seconds"'),
        ("baselines=[prevalance]", 'Nearest: "prevalence"'),
        ("seeds=[0, 0]", "name each once"),
        ("seeds=[4294967296]", 'key "seeds.0" is 4294967296; it must be at most 4294967295.'),
        ("targets.embolism.data=ptb-xl", "say which records: data, a known name or a manifest, or else simulate"),
        ("targets={}", "at least 1"),
        ("sources={}", "modes other than scratch need sources"),
        ("modes=[scratch]", "sources are of no use"),
        ("networks.resnet18.recipe=pretrain-masked", "pretrains without labels"),
        ("networks.trees={recipe: calipers}", 'key "networks.trees": caliper_trees does not learn by gradients'),
        ("networks={}", "name networks to be compared, or a source that is a model"),
        ("sources.superclasses={model: ptbxl-bas}", "ptbxl-bas holds no model"),
        ("sources.superclasses={model: ptbxl-base, task: rhythm}", "a model has been trained already; leave out task"),
    ],
)
def test_what_does_not_fit_is_named(change: str, sentence: str) -> None:
    with pytest.raises(WrongRequest) as refusal:
        load_study("quick", [change])
    assert sentence in str(refusal.value)


def test_a_source_may_be_a_model_that_is_carried_over_beside_the_networks() -> None:
    settings = {
        "sources": {"base": {"model": "ptbxl-base"}, "ptb": {"data": "ptb-xl"}},
        "targets": {"pe": {"simulate": {"kind": "embolism"}}},
        "networks": {"small": {"recipe": "fast"}},
        "modes": ["scratch", "full"],
        "vary": {"optimizer.learning_rate": [0.001, 0.002]},
    }
    study = Study.of(settings)
    assert Study.of(yaml.safe_load(study.to_yaml())) == study
    arms = {arm.name: arm for arm in study.arms()}
    rates = ("0.001", "0.002")
    assert set(arms) == {
        *(f"small optimizer.learning_rate={rate} {way}" for rate in rates for way in ("scratch", "full from ptb")),
        *(f"base optimizer.learning_rate={rate} {way}" for rate in rates for way in ("scratch", "full")),
    }
    fresh = arms["base optimizer.learning_rate=0.001 scratch"]
    assert (fresh.model, fresh.source, fresh.recipe.transfer, fresh.recipe.network) == (
        arms["small optimizer.learning_rate=0.001 scratch"].model,
        "",
        None,
        Model.load("ptbxl-base").recipe.network,
    )
    carried, theirs = arms["base optimizer.learning_rate=0.001 full"], Model.load("ptbxl-base").recipe
    assert (carried.model, carried.source, carried.learner, carried.pretraining) == (
        "ptbxl-base",
        "base",
        "transfer",
        None,
    )
    assert [getattr(carried.recipe, part) for part in FIXED] == [getattr(theirs, part) for part in FIXED]


def test_models_of_one_network_share_it_fresh() -> None:
    """As the networks of a study do whose sources it trains itself; a model of another network has its own."""
    models = {name: {"model": f"ptbxl-{name}"} for name in ("base", "teacher", "small")}
    study = Study.of({"sources": models, "targets": {"pe": {"simulate": {"kind": "embolism"}}}})
    arms = {arm.name: arm for arm in study.arms()}
    assert list(arms) == [
        *(
            "s4d_hybrid width=256 short=repeated scratch",
            "s4d_hybrid width=256 short=repeated frozen from base",
            "s4d_hybrid width=256 short=repeated full from base",
        ),
        *(
            "s4d_hybrid width=256 short=repeated frozen from teacher",
            "s4d_hybrid width=256 short=repeated full from teacher",
        ),
        *("small scratch", "small frozen", "small full"),
    ]
    carried = arms["s4d_hybrid width=256 short=repeated full from teacher"]
    assert (carried.model, carried.source, carried.network) == (
        "ptbxl-teacher",
        "teacher",
        "s4d_hybrid width=256 short=repeated",
    )
    fresh = carried.recipe.model_copy(update={"transfer": None})
    assert fresh == arms["s4d_hybrid width=256 short=repeated scratch"].recipe
    plan_study(study)  # which refuses what is the same under two names


def test_what_a_model_fixes_cannot_be_varied() -> None:
    settings = {"sources": {"base": {"model": "ptbxl-base"}}, "targets": {"pe": {"data": "pe.csv"}}}
    with pytest.raises(WrongRequest, match=r'"vary": crop.seconds belongs to source base, which is a model'):
        Study.of({**settings, "vary": {"crop.seconds": [2.5, 5]}})


def test_an_unknown_study_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(WrongRequest, match='Nearest: "quick"'):
        load_study("quik")


def test_arms_are_networks_times_variants_times_ways() -> None:
    study = load_study("quick", ["vary={crop.seconds: [2.5, 5.0], training.epochs: [1, 2, 3]}"])
    arms = study.arms()
    assert len(arms) == 2 * (2 * 3) * 3
    assert len({arm.name for arm in arms}) == len(arms)
    assert "resnet18 crop.seconds=2.5 training.epochs=3 frozen" in {arm.name for arm in arms}


def test_a_variant_of_what_is_shown_changes_the_source_too_and_one_of_learning_does_not() -> None:
    arms = {arm.name: arm for arm in load_study("quick", ["vary={crop.seconds: [2.5], training.epochs: [1]}"]).arms()}
    arm = arms["crnn_gru crop.seconds=2.5 training.epochs=1 full"]
    assert arm.pretraining is not None
    assert (arm.recipe.crop.seconds, arm.pretraining.crop.seconds) == (2.5, 2.5)
    assert (arm.recipe.training.epochs, arm.pretraining.training.epochs) == (1, 6)  # recipe demo has 6


def test_scratch_and_transfer_differ_in_nothing_but_the_transfer() -> None:
    arms = {arm.name: arm.recipe for arm in load_study("quick").arms()}
    assert arms["resnet18 scratch"].transfer is None
    for mode in ("frozen", "full"):
        carried = arms[f"resnet18 {mode}"]
        assert carried.transfer is not None
        assert carried.transfer.mode == mode
        assert carried.model_copy(update={"transfer": None}) == arms["resnet18 scratch"]


def test_two_sources_are_told_apart_in_the_arms_names() -> None:
    more: dict[str, Any] = {**QUICK, "sources": {**QUICK["sources"], "other": {"data": "ptb-xl", "folder": "data"}}}
    names = {arm.name for arm in Study.of(more).arms()}
    assert {"resnet18 scratch", "resnet18 full from superclasses", "resnet18 full from other"} <= names
