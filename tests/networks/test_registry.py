import subprocess
import sys

import pytest

from ecgenough import networks
from ecgenough.errors import WrongRequest


def test_the_paper_s_networks_and_newer_ones_are_known() -> None:
    assert {"alexnet", "eegnet", "attresnet", "restransformer", "transformer"} <= set(networks.names())
    assert {f"crnn_{cell}" for cell in ("rnn", "lstm", "gru")} <= set(networks.names())
    assert {f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")} <= set(networks.names())
    assert {"xresnet1d101", "inceptiontime", "s4d", "s4d_hybrid", "patch_transformer"} <= set(networks.names())


def test_match_takes_patterns() -> None:
    assert networks.match("resnet*") == ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
    assert networks.match("vgg1?_bn") == ("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")
    assert networks.match("gru") == ("gru",)
    with pytest.raises(WrongRequest, match=r'network "resnext\*" is unknown\. Nearest: "'):
        networks.match("resnext*")


@pytest.mark.parametrize("name", networks.names())
def test_every_network_is_described_in_one_line(name: str) -> None:
    line = networks.describe(name)
    assert line.endswith(".")
    assert "\n" not in line
    assert len(line) > 30


def test_descriptions_say_what_the_name_fixes() -> None:
    assert networks.describe("resnet34").endswith("; depth 34.")
    assert networks.describe("vgg11").endswith("; depth 11, no batch norm.")
    assert networks.describe("vgg11_bn").endswith("; depth 11, batch norm.")


def test_options_come_with_their_defaults() -> None:
    assert networks.options("gru") == {"hidden": 256, "layers": 2, "dropout": 0.0, "bidirectional": False}
    assert networks.options("resnet18") == {"width": 64}
    assert networks.options("vgg11") == {"dropout": 0.5}


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("gru", {"hiden": 128}, ' is unknown. Nearest: "hidden".'),
        ("resnet18", {"wide": 3}, ' is unknown. Nearest: "width".'),
        ("resnet18", {"depth": 34}, " cannot be set: the name resnet18 says depth 18."),
        ("gru", {"hidden": 0}, " is 0; it must be at least 1."),
        ("gru", {"hidden": "256"}, ' is "256"; it must be a whole number.'),
        ("gru", {"hidden": True}, " is true; it must be a whole number."),
        ("gru", {"dropout": 1}, " is 1; it must be below 1."),
        ("gru", {"dropout": float("nan")}, " is NaN; it must be below 1."),
        ("gru", {"bidirectional": 1}, " is 1; it must be true or false."),
        ("attresnet", {"depth": 20}, " is 20; it must be one of 18, 34, 50, 101, 152."),
        ("s4d_hybrid", {"kernel": 4}, " is 4; it must be one of 3, 5, 7, 9, 11, 13, 15."),
    ],
)
def test_wrong_options_get_one_sentence(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(WrongRequest) as refusal:
        networks.build(name, leads=2, classes=2, **options)
    assert str(refusal.value) == f'recipe key "network.options.{next(iter(options))}"{sentence}'


def test_unknown_names_and_options_that_do_not_go_together_get_one_sentence() -> None:
    with pytest.raises(WrongRequest, match=r'^network "resnet19" is unknown\. Nearest: "resnet18"\.$'):
        networks.build("resnet19", leads=2, classes=2)
    with pytest.raises(WrongRequest, match=r"^a width of 512 does not divide among 7 heads; change one of the two\.$"):
        networks.build("attresnet", leads=2, classes=2, heads=7)


@pytest.mark.parametrize(("leads", "classes"), [(0, 1), (1, 0)])
def test_no_leads_or_no_classes_are_refused(leads: int, classes: int) -> None:
    with pytest.raises(WrongRequest, match="at least one lead and one class"):
        networks.build("gru", leads=leads, classes=classes)


def test_options_reach_the_network() -> None:
    small = networks.build("gru", leads=1, classes=1, hidden=8, layers=1, bidirectional=True)
    assert networks.parameter_count(small) == 2 * 3 * 8 * (1 + 8 + 2) + 16 + 1


def test_networks_need_no_library_of_the_rooms_that_read_files() -> None:
    code = "import sys, ecgenough.networks; print({'pandas', 'wfdb', 'pywt', 'matplotlib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
