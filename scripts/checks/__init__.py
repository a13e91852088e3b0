"""Verification beside the tests: reference values, operation counts, devices, what modification does."""
