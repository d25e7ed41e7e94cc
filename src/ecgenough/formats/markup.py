"""XML from strangers -> a tree: no entities, nothing fetched, and no more than is sensible of anything."""

import math
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

from ecgenough.errors import BrokenRecord, quoted
from ecgenough.extras import needed
from ecgenough.formats.bounds import read_whole

MOST_BYTES = 1 << 25  # of a document; ten seconds of twelve leads as decimal text are under 1 MiB
MOST_ELEMENTS = 200_000
DEEPEST = 100  # elements within elements; aECG needs about 20
_DECLARED = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]+)[\"'][^>]{0,100}\?>", re.ASCII
)
_LONG_TAG = re.compile(rb"<[^<>!?][^<>]{65536}")  # 200,000 attributes take seconds, and no ECG has them
# What expat does not know, though recorders made in China and Japan write it; decoded by Python before.
_MULTIBYTE = ("gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr")


class _Builder(TreeBuilder):
    """Builds the tree, names without namespaces, and stops where a document is deeper or larger than any ECG."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.depth = 0

    def start(self, tag: Any, attrs: dict[Any, Any]) -> Element:
        self.elements += 1
        self.depth += 1
        if self.elements > MOST_ELEMENTS:
            raise BrokenRecord(f"it has more than {MOST_ELEMENTS:,} XML elements; no ECG does.")
        if self.depth > DEEPEST:
            raise BrokenRecord(f"its XML elements nest deeper than {DEEPEST}; no ECG's do.")
        return super().start(_bare(tag), {_bare(name): value for name, value in attrs.items()})

    def end(self, tag: str) -> Element:
        self.depth -= 1
        return super().end(_bare(tag))


def parse_xml(place: Path) -> Element:
    """The root of an XML document, tags and attributes without their namespaces.

    Raises BrokenRecord for a document that declares entities or is not whole; nothing outside it is ever opened.
    """
    defused = needed("defusedxml.ElementTree", "formats", "an ECG in XML")
    content = read_whole(place, MOST_BYTES)
    if _LONG_TAG.search(content):
        raise BrokenRecord("one of its XML tags is longer than 64 KiB; no ECG's is.")
    parser = defused.DefusedXMLParser(target=_Builder(), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(_decoded(content))
        root: Element = parser.close()
    except BrokenRecord:
        raise
    except defused.EntitiesForbidden:
        raise BrokenRecord("its XML declares entities, which are refused: they can hide other files.") from None
    except defused.ExternalReferenceForbidden:
        raise BrokenRecord("its XML refers to another file, which is refused.") from None
    except (defused.ParseError, ValueError, LookupError, AssertionError) as error:
        raise BrokenRecord(f"its XML is not whole: {quoted(str(error), 100)}.") from None
    return root


def text_of(element: Element | None, path: str = "") -> str:
    """The text of the first element at `path` below `element`, stripped; empty where there is none."""
    found = element.find(path) if element is not None and path else element
    return (found.text or "").strip() if found is not None else ""


def number_of(text: str, what: str) -> float:
    """A finite number. Raises BrokenRecord naming `what` otherwise."""
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BrokenRecord(f"its {what} is {quoted(text)}, not a number.")
    return value


def _decoded(content: bytes) -> bytes | str:
    declared = _DECLARED.match(content)
    if declared is None or declared[1].decode("ascii").lower() not in _MULTIBYTE:
        return content
    return content[declared.end() :].decode(declared[1].decode("ascii"))


def _bare(name: str) -> str:
    return name.rpartition("}")[2]
