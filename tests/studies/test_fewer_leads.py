"""A model goes over to records with fewer leads: what can be derived is, the weights for the rest are dropped."""

import csv
import json
from pathlib import Path

import pytest
import torch

from ecgenough.commands.transfer import transfer
from ecgenough.datasets import open_dataset
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.formats import read
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.preparing import leads_at_hand, prepared_target
from ecgenough.studies.stores import open_store, open_target

QUICK = ["training.epochs=1", "training.select=last", "training.batch=32"]


@pytest.fixture(scope="module")
def source(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.train(stores["superclasses"], tiny.with_changes(QUICK), tmp_path_factory.mktemp("r") / "source", "cpu")


@pytest.fixture(scope="module")
def three_leads(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embolism records as a recorder of I, II and V5 gives them, with a manifest; the first one lacks V5."""
    folder = tmp_path_factory.mktemp("three-leads")
    with (simulated / "embolism" / "labels.csv").open() as file, (folder / "my.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "patient", "embolism"])
        for number, row in enumerate(csv.DictReader(file)):
            ecg = read(simulated / "embolism" / f"{row['path'].removesuffix('.hea')}.hea")
            leads = ("I", "II") if number == 0 else ("II", "V5", "I")
            chosen = ecg.select(leads)
            write_wfdb(folder, row["record"], Ecg(chosen.signal, chosen.rate, leads))
            rows.writerow([f"{row['record']}.hea", row["patient"], row["embolism"]])
    return folder


def test_each_kept_lead_keeps_its_scale() -> None:
    scale = Normaliser("scale", "lead", torch.tensor([0.1, 0.2, 0.3])).keep_leads([2, 0])
    assert scale.to_settings()["scale"] == pytest.approx([0.3, 0.1])
    assert Normaliser("z-score").keep_leads([1]).to_settings() == Normaliser("z-score").to_settings()


def test_a_target_of_three_leads_is_learned_from_seven(
    source: Path, three_leads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """I and II give the six limb leads; the weights of V1 to V4 and V6 go, the others come from the source."""
    transfer(
        source, str(three_leads / "my.csv"), tmp_path / "run", mode="frozen", changes=QUICK,
        store=tmp_path / "stores", device="cpu",
    )  # fmt: skip
    kept, gone = ("I", "II", "III", "aVR", "aVL", "aVF", "V5"), "V1, V2, V3, V4, V6"
    before, after = Model.load(source), Model.load(tmp_path / "run")
    assert after.recipe.signal.leads == kept
    places = [STANDARD_LEADS.index(lead) for lead in kept]
    first = "body.stem.0.0.weight"
    assert torch.equal(after.network.state_dict()[first], before.network.state_dict()[first][:, places])
    assert before.normaliser.scale is not None
    assert after.normaliser.to_settings()["scale"] == pytest.approx(before.normaliser.scale[places].tolist())
    sentence = f"The target has no {gone}: the weights that read them are dropped."
    assert sentence in json.loads((tmp_path / "run" / "transfer.json").read_text())["messages"]
    assert f"my has no {gone}." in capsys.readouterr().err
    assert after.predict(read(three_leads / "00002.hea")).classes == ("embolism",)
    rejected = (tmp_path / "run" / "rejected.csv").read_text()
    assert rejected.count("\n") == 2  # the heading, and the record without V5
    assert "V5 is absent" in rejected


def test_the_user_may_say_which_leads_there_are(source: Path, stores: dict[str, Store], simulated: Path) -> None:
    model = Model.load(source)
    asked = runs.recipe_for_transfer(model, Recipe().with_changes(["signal.leads=[II, V5]", "signal.rate=500"]))
    assert asked.signal == model.recipe.signal.model_copy(update={"leads": ("II", "V5")})
    assert runs.recipe_for_transfer(model, Recipe()).signal == model.recipe.signal
    store = open_store("simulated", simulated / "embolism", asked.signal, folder=stores["embolism"].path.parent)
    assert open_target(str(store.path), None, model.recipe.signal).leads == ("II", "V5")  # a store's are its own


def test_a_lead_the_source_does_not_read_is_refused(
    stores: dict[str, Store], tiny: Recipe, simulated: Path, tmp_path: Path
) -> None:
    two = tiny.with_changes([*QUICK, "signal.leads=[I, II]"])
    store = open_store("simulated", simulated / "superclasses", two.signal, folder=stores["embolism"].path.parent)
    model = Model.load(runs.train(store, two, tmp_path / "two", "cpu"))
    with pytest.raises(WrongRequest, match="asks for V5, which the source model does not read; it reads I, II"):
        runs.recipe_for_transfer(model, two.with_changes(["signal.leads=[I, V5]"]))


def test_a_collection_that_cannot_be_read_is_left_to_preparing(three_leads: Path, tmp_path: Path) -> None:
    listed = open_dataset(str(three_leads / "my.csv"), None)
    assert leads_at_hand(listed, ("I", "V1", "aVF")) == ("I", "aVF")
    assert leads_at_hand(listed, ("V1", "V2")) == ("V1", "V2")  # none of them: preparing says so
    with pytest.raises(EcgenoughError, match="V1 is absent"):
        prepared_target(
            str(three_leads / "my.csv"), None, Recipe().with_changes(["signal.leads=[V1]"]).signal, tmp_path
        )
