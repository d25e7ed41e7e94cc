"""A collection looked at before anything is learned from it: what it holds, and what to doubt in it."""

from ecgenough.inspection.inspection import Inspection, as_json, inspect_dataset

__all__ = ["Inspection", "as_json", "inspect_dataset"]
