"""Expected values from diffusers and transformers for the parity tests (scripts/parity_reference.py)."""
