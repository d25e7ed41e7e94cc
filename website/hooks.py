"""What MkDocs calls while it builds the site."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from website import commands, links, measured, notebooks, recipe_keys

GENERATED: dict[str, Callable[[], str]] = {
    "recipes.md": recipe_keys.page,
    "commands.md": commands.page,
    **{f"notebooks/{path.stem}.md": partial(notebooks.page, path) for path in notebooks.paths()},
}
ROOMS = (
    "ecg",
    "recipe",
    "model",
    "prediction",
    "estimator",
    "notebook",
    "formats",
    "fetching",
    "datasets",
    "simulation",
    "signals",
    "networks",
    "learning",
    "scoring",
    "baselines",
    "inspection",
    "studies",
    "reports",
    "serving",
)
_OUTSIDE = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b(?![^>]*rel=["']?canonical)[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|url\(["']?(?:https?:)?//[^)]+""",
    re.IGNORECASE,
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Navigation: without pages that are not written yet, and with those that it does not name under "More"."""
    api = [{room: f"api/{room}.md"} for room in ROOMS]
    there = {path.relative_to(links.DOCS).as_posix() for path in links.DOCS.rglob("*.md")}
    there |= {*GENERATED, *links.brought(), *(path for page in api for path in page.values())}
    nav = _only(config.nav, there)
    nav.append({"API": api})
    named = set(_paths(nav))
    more = sorted(path for path in there if path not in named and not path.startswith(links.BROUGHT))
    config.nav = [*nav, {"More": more}] if more else nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are made from code, and the files of the repository that pages link to."""
    for path, page in GENERATED.items():
        files.append(File.generated(config, path, content=page()))
    for room in ROOMS:
        files.append(File.generated(config, f"api/{room}.md", content=_api(room)))
    for path, file in links.brought().items():
        files.append(File.generated(config, path, abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Measured tables in their places, and links that hold in the site."""
    return links.redirected(measured.filled(markdown), page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Raise PluginError where a built page would ask anything of another address."""
    for path in Path(config.site_dir).rglob("*"):
        if path.suffix in (".html", ".css"):
            found = _OUTSIDE.search(path.read_text(encoding="utf-8"))
            if found:
                raise PluginError(f"{path} asks another address for something: {found[0][:200]}")


def _api(room: str) -> str:
    return f"# {room}\n\n::: ecgenough.{room}\n    options:\n      show_submodules: true\n"


def _only(entries: Any, there: set[str]) -> list[Any]:
    """The entries of a navigation whose pages are there."""
    kept: list[Any] = []
    for entry in entries:
        if isinstance(entry, str):
            kept += [entry] if entry in there else []
            continue
        ((title, inner),) = entry.items()
        if isinstance(inner, str):
            kept += [entry] if inner in there else []
        elif inside := _only(inner, there):
            kept.append({title: inside})
    return kept


def _paths(entries: Any) -> Iterator[str]:
    for entry in entries:
        inner = entry if isinstance(entry, str) else next(iter(entry.values()))
        yield from [inner] if isinstance(inner, str) else _paths(inner)
