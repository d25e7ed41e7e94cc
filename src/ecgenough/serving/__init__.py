"""Putting a model to use: export, explanation, the HTTP service."""
