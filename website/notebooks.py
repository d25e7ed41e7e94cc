"""Notebooks: run again in place, with small outputs, and shown in the site as pages.

`python -m website.notebooks [NAME ...]` runs the notebooks of docs/notebooks and keeps what their cells printed and drew.
"""

import base64
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "notebooks"
SECONDS = 600  # that one cell may take
_LINK = re.compile(r"\]\(([\w-]+)\.ipynb\)")  # from one notebook to another


def paths() -> list[Path]:
    """Every notebook of the docs."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path, folder: Path) -> Any:
    """The notebook with the outputs of a run in `folder`. Raises CellExecutionError where a cell fails."""
    # Imported here: to show a notebook in the site takes neither a client nor a kernel.
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=place).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        if cell.cell_type == "code":
            cell.outputs = list(_told(cell.outputs))
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}  # without the version it ran with
    return notebook


def page(path: Path) -> str:
    """The notebook as Markdown: code in fences, what it printed and drew behind it."""
    notebook = nbformat.read(path, as_version=4)
    title, _, rest = "\n\n".join(part for cell in notebook.cells for part in _parts(cell)).partition("\n\n")
    told = f"This page is a notebook as it ran: [{path.name}]({path.name})."
    return "\n\n".join((title, told, _LINK.sub(r"](\1.md)", rest))) + "\n"


def _told(outputs: Any) -> Iterator[Any]:
    """Outputs without what a notebook needs no second time: lines of progress as text, a drawing once, no bars."""
    lines, shown = "", []
    for output in outputs:
        data = output.get("data", {})
        if output.output_type == "stream":
            lines += output.text
        elif output.output_type == "display_data" and "<pre" in data.get("text/html", ""):
            lines += data["text/plain"]
        elif "image/svg+xml" in data:
            data.pop("text/plain", None)
            shown.append(output)
        elif data.get("text/plain", "").strip():
            shown.append(output)
    if lines.strip():
        yield nbformat.v4.new_output("stream", name="stdout", text=lines)
    yield from shown


def _parts(cell: Any) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield cell.source
        return
    yield f"```python\n{cell.source}\n```"
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/svg+xml" in data:
            drawing = base64.b64encode("".join(data["image/svg+xml"]).encode()).decode()
            yield f'<img alt="What the cell drew" src="data:image/svg+xml;base64,{drawing}">'
        elif "text/html" in data:
            yield _bare("".join(data["text/html"]))
        else:
            yield f"```text\n{(output.get('text') or data['text/plain']).rstrip()}\n```"


def _bare(table: str) -> str:
    """A table of pandas without its style sheet, whose blank lines would end the HTML of a Markdown page, and without its
    class, for which the site would not let it scroll on a phone.
    """
    body = table[table.index("<table") : table.index("</table>") + 8]
    plain = body.replace('<table border="1" class="dataframe">', "<table>")
    return "\n".join(line for line in plain.splitlines() if line)


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for one in [FOLDER / f"{name}.ipynb" for name in sys.argv[1:]] or paths():
        with TemporaryDirectory() as aside:
            nbformat.write(executed(one, Path(aside)), one)
        print(f"{one.name}: run")
