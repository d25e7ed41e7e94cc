"""The container's files agree with each other and with the project: that needs no Docker, and is what a build would fail of."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import yaml

from ecgenough import shipped

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSED: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["ecgenough"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def copied() -> set[str]:
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE, flags=re.MULTILINE)
    return {source for line in lines for source in shlex.split(line)[:-1]}


def test_what_is_copied_is_there_and_all_that_is_let_into_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert all((ROOT / source).exists() for source in copied())
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied()


def test_what_the_wheel_is_built_of_is_copied() -> None:
    project, wheel = PROJECT["project"], PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {project["readme"], *project["license-files"], *wheel["force-include"], "pyproject.toml"}
    assert needed <= copied()
    assert all(Path(package).parts[0] in copied() for package in wheel["packages"])


def test_the_extras_and_the_model_that_the_image_names_exist() -> None:
    extras = re.search(r"\.\[([\w,]+)\]", DOCKERFILE)
    served = re.search(r'^CMD \["(.+)"\]$', DOCKERFILE, flags=re.MULTILINE)
    assert extras is not None
    assert served is not None
    assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    assert served[1] in shipped.names()


def test_compose_hands_on_arguments_that_the_build_takes() -> None:
    assert COMPOSED["build"]["args"]
    assert set(COMPOSED["build"]["args"]) <= set(re.findall(r"^ARG (\w+)", DOCKERFILE, flags=re.MULTILINE))


def test_a_model_s_folder_may_be_named_without_a_dot_before_it() -> None:
    """In the short form runs/super/model:/model is the name of a volume, and compose refuses it."""
    (volume,) = COMPOSED["volumes"]
    assert volume["type"] == "bind"
    assert volume["read_only"]
    assert [volume["target"]] == COMPOSED["command"]
