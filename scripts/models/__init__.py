"""Random checkpoints in the published layout, and the small model that tests run on."""
