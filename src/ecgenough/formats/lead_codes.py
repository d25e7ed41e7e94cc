"""Lead codes of ISO/IEEE 11073-10102, which SCP-ECG (EN 1064, table of section 3) and DICOM share."""

from ecgenough.ecg import CHEST_LEADS

LEAD_CODES: dict[int, str] = {
    1: "I", 2: "II", 9: "V7", 10: "V2R", 11: "V3R", 12: "V4R", 13: "V5R", 14: "V6R", 15: "V7R",
    16: "X", 17: "Y", 18: "Z", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", 65: "-aVR",
    66: "V8", 67: "V9", 68: "V8R", 69: "V9R", 70: "Nehb D", 71: "Nehb A", 72: "Nehb J",
} | {3 + i: lead for i, lead in enumerate(CHEST_LEADS)}  # fmt: skip
