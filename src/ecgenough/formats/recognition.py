"""What a file is by its first bytes, so that an error can say so."""

import re

HEAD = 4096  # bytes that are enough to know a file by

# Where a mark stands, the mark, and what it tells. Sources: the formats' own specifications.
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"7z\xbc\xaf", "a 7-zip archive"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"MATLAB 5.0 MAT-file", "a MATLAB file"),
    (0, b"MATLAB 7.3 MAT-file", "a MATLAB 7.3 file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"SQLite format 3", "an SQLite database"),
    (128, b"DICM", "a DICOM file"),
    (16, b"SCPECG", "an SCP-ECG recording"),
    (0, b"ISHNE1.0", "an ISHNE recording"),
    (0, b"ANN  1.0", "ISHNE annotations, without the recording"),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"\x80\x03", "a Python pickle"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"),
    (0, b"\xff\xfe", "UTF-16 text"),
    (0, b"\xfe\xff", "UTF-16 text"),
    (0, b"version https://git-lfs", "a Git LFS pointer whose file was not downloaded"),
    (0, b"/annex/objects/", "a git-annex pointer whose file was not downloaded"),
)
# Where a mark stands, the mark, and the format that ecgenough reads by it.
_FORMATS: tuple[tuple[int, bytes, str], ...] = (
    (128, b"DICM", "DICOM"),
    (0, b"\xffBIOSEMI", "EDF"),
    (16, b"SCPECG", "SCP-ECG"),
    (0, b"ISHNE1.0", "ISHNE"),
    (0, b"PAR1", "Parquet"),
)
_XML = {"AnnotatedECG": "HL7 aECG", "RestingECG": "GE MUSE XML", "restingecgdata": "Philips XML"}  # by root element
_ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")
_EDF_DATES = re.compile(rb"\d\d\.\d\d\.\d\d\d\d\.\d\d\.\d\d")  # an EDF file tells its date and time at byte 168
_MARKUP = re.compile(rb"\s*<(!doctype\s+html|html|head|body)?", re.IGNORECASE)


def file_format(head: bytes) -> str | None:
    """The format of a recording that says what it is ("DICOM", "GE MUSE XML"), or None.

    WFDB records and tables do not say so: they are known by the files they name, and by holding nothing but numbers.
    """
    for place, mark, name in _FORMATS:
        if head[place : place + len(mark)] == mark:
            return name
    if head.startswith(b"0 ") and _EDF_DATES.match(head, 168):
        return "EDF"
    if head.startswith(b"PK\x03\x04") and head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy"):
        return "NPZ"
    if _is_scp(head):
        return "SCP-ECG"
    return _XML.get(_root_element(head))


def _is_scp(head: bytes) -> bool:
    """Whether a record of SCP-ECG 1.x, which need not say so: section 0 comes first, and its first entry is itself."""
    number, length = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:14], "little")
    itself = (int.from_bytes(head[22:24], "little"), int.from_bytes(head[28:32], "little"))
    return len(head) >= 32 and number == 0 and length >= 26 and (length - 16) % 10 == 0 and itself == (0, 7)


def _root_element(head: bytes) -> str:
    """The name of an XML document's first element, without its namespace; empty where there is none to be seen."""
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = head.decode("utf-16" if wide else "utf-8", errors="ignore").lstrip("\ufeff \t\r\n")
    while text.startswith(("<?", "<!")):
        if text.startswith("<?"):
            end = "?>"
        elif text.startswith("<!--"):
            end = "-->"
        else:
            end = "]>" if "[" in text.partition(">")[0] else ">"
        text = text.partition(end)[2].lstrip()
    root = _ROOT.match(text)
    return root[1] if root else ""


def foreign(head: bytes) -> str | None:
    """What a file that ecgenough does not read looks like ("an HTML page"), or None where nothing is known of it."""
    if not head:
        return "an empty file"
    for place, mark, what in _MARKS:
        if head[place : place + len(mark)] == mark:
            return what
    if head.startswith(b"0 ") and _EDF_DATES.match(head, 168):
        return "an EDF recording"
    if markup := _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "an HTML page" if markup[1] else "an XML document"
    return "a JSON document" if head.lstrip()[:1] in (b"{", b"[") else None


def is_text(head: bytes) -> bool:
    """Whether the bytes can be text in UTF-8, Latin-1 or ASCII: no control characters but white space."""
    return not re.search(rb"[\x00-\x08\x0e-\x1f\x7f]", head)
