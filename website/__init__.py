"""Builds the documentation site: what is taken from the code and the measured tables, so that nobody types it twice."""
