"""From recordings of any length and rate to conditioned signals, stores and batches."""
