"""Expected values from diffusers and transformers for the parity tests, and the check that they still are what those give."""
