"""Runs as pages: figures drawn as SVG, ECGs on ECG paper, and one self-contained HTML file."""

from ecgenough.reports.ecg_paper import draw_ecg
from ecgenough.reports.inspection import write_inspection
from ecgenough.reports.page import write_report
from ecgenough.reports.study import write_study_report

__all__ = ["draw_ecg", "write_inspection", "write_report", "write_study_report"]
