"""Trains the embedded model (README.md)."""
