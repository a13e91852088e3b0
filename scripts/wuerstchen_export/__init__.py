"""Exports Würstchen v2 checkpoints as programs that LibTorch runs without Python.

checkpoint      where the parts of a checkpoint lie, and their configurations
weights         tensors from safetensors or .bin files into modules, with every mismatch named
prior, decoder, stage_a, image_encoder, previewer, text_encoder (on blocks)    the networks, written for inference
stages          which network, configuration and functions belong to each stage of the manifest
torchscript     one stage -> one TorchScript file, and its verification
tokenizer       tokenizer.json of each text encoder
manifest        wuerstchen.json
export          the whole run: stage by stage, verified, then made visible at once
"""

VERSION = "0.1.0"
