"""Exports Würstchen v2 checkpoints as programs that LibTorch runs without Python.

names           stages and dtypes by the names that the manifest has for them
checkpoint      where the parts of a checkpoint lie, and their configurations
files           which files of a component hold its weights
layouts         files as other tools write them: wrappers, and other names of the same tensors
weights         tensors from safetensors or .bin files into modules, with every mismatch named
lora            LoRAs, merged into the weights of the prior and of its text encoder
lora_formula    how strong a LoRA is, by whichever place says so
blocks          what the networks share: layers, attention, the embedding of times
prior, decoder, stage_a, image_encoder, previewer, text_encoder    the networks, written for inference
stages          which network, configuration and functions belong to each stage of the manifest
torchscript     one stage -> one TorchScript file, and its verification
aoti            one function -> one compiled library, and its verification
tokenizer       tokenizer.json of each text encoder
schedule        default timesteps of Stage C
manifest        wuerstchen.json
publish         files that become visible together
export          the whole run: stage by stage, verified, then made visible at once
compile         the whole run of --compile: libraries for the programs of a model directory
verify          the whole run of --verify: libraries of another machine, compared with their programs on this one
cross           libraries for GPUs, compiled without one: what torch is made to believe, and what a library is checked for
jsons           JSON files whose content is an object
errors          the one error that a user sees without a stack trace
"""

import json
from pathlib import Path

# The version of the npm package, which contains the exporter.
VERSION: str = json.loads((Path(__file__).parents[2] / "package.json").read_text())["version"]
