"""Libraries for GPUs, compiled on a machine that has none."""
