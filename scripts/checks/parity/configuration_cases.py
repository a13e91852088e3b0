"""Configurations of checkpoints that diffusers 0.42.1 runs: what each changes in the base, by component.

Names of components are those of scripts/models/random_checkpoint.py. `index` changes the constants of the two pipelines,
`scheduler` those of both schedules, `files` how the checkpoint is written.
"""

from typing import Any

BASE: dict[str, dict[str, Any]] = {
    "prior": {"c_in": 16, "c": 48, "c_cond": 40, "c_r": 16, "depth": 2, "nhead": 3, "dropout": 0.1},
    "decoder": {
        "c_in": 4,
        "c_out": 4,
        "c_r": 16,
        "patch_size": 2,
        "c_cond": 24,
        "c_hidden": [16, 24],
        "nhead": [-1, 3],
        "blocks": [1, 1],
        "level_config": ["CT", "CTA"],
        "inject_effnet": [False, True],
        "effnet_embd": 16,
        "clip_embd": 32,
        "kernel_size": 3,
        "dropout": 0.1,
    },
    "vqgan": {"levels": 2, "bottleneck_blocks": 1, "embed_dim": 16, "num_vq_embeddings": 16},
    "prior_text_encoder": {
        "hidden_size": 40,
        "intermediate_size": 60,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 77,
        "hidden_act": "gelu",
    },
    "decoder_text_encoder": {
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 77,
        "hidden_act": "gelu",
    },
    "index": {},
    "scheduler": {},
    "files": {},
}

THREE_LEVELS = {"c_hidden": [16, 24, 32], "nhead": [-1, 3, 2], "blocks": [1, 1, 1], "level_config": ["CT", "CTA", "CTA"]}
FOUR_LEVELS = {
    "c_hidden": [8, 16, 24, 32],
    "nhead": [-1, 2, 3, 4],
    "blocks": [3, 1, 2, 1],
    "level_config": ["CT", "CTA", "CTA", "CTA"],
    "inject_effnet": [False, True, True, True],
}
FIVE_LEVELS = {
    "c_hidden": [8, 8, 16, 16, 24],
    "nhead": [-1, 2, 2, 4, 3],
    "blocks": [1, 1, 1, 1, 1],
    "level_config": ["CT", "CT", "CTA", "CTA", "CTA"],
    "inject_effnet": [False, True, True, True, True],
}
ONE_LEVEL = {"c_hidden": [16], "nhead": [2], "blocks": [2], "level_config": ["CTA"], "inject_effnet": [True]}


def channels(count: int) -> dict[str, dict]:
    """Of the prior's latents, which are the decoder's embeddings."""
    return {"prior": {"c_in": count}, "decoder": {"effnet_embd": count}}


def decoder(**changes: Any) -> dict[str, dict]:
    return {"decoder": changes}


def levels(*layout: str, **changes: Any) -> dict[str, dict]:
    return {"decoder": {**THREE_LEVELS, "inject_effnet": [False, True, True], "level_config": list(layout), **changes}}


CASES: dict[str, dict[str, dict]] = {
    "base": {},
    # Stage C
    "prior depth 1, 1 head": {"prior": {"depth": 1, "nhead": 1}},
    "prior depth 7, c 96, 12 heads": {"prior": {"depth": 7, "c": 96, "nhead": 12}},
    "prior without blocks": {"prior": {"depth": 0}},
    "prior as wide as its text": {"prior": {"c": 40, "nhead": 5}},
    "prior: heads do not divide": {"prior": {"c": 50, "nhead": 3}},
    "prior: a head each channel": {"prior": {"c": 24, "nhead": 24}},
    # Time
    "c_r 4, the least": {"prior": {"c_r": 4}, "decoder": {"c_r": 4}},
    "c_r 5": {"prior": {"c_r": 5}, "decoder": {"c_r": 5}},
    "c_r 31 and 33": {"prior": {"c_r": 31}, "decoder": {"c_r": 33}},
    "c_r 128 and 16": {"prior": {"c_r": 128}},
    "c_r 512 and 513, the most": {"prior": {"c_r": 512}, "decoder": {"c_r": 513}},
    # What goes from Stage C to Stage B
    "c_in 1": channels(1),
    "c_in 2": channels(2),
    "c_in 7": channels(7),
    "c_in 8": channels(8),
    "c_in 32": channels(32),
    "c_in 2, nothing injected": {"prior": {"c_in": 2}, "decoder": {"inject_effnet": [False, False], "effnet_embd": 16}},
    # Stage B
    "one level": decoder(**ONE_LEVEL),
    "three levels, inject 101": levels("CT", "CTA", "CTA", inject_effnet=[True, False, True]),
    "three levels, inject 010": levels("CT", "CTA", "CTA", inject_effnet=[False, True, False]),
    "three levels, inject none": levels("CT", "CTA", "CTA", inject_effnet=[False, False, False]),
    "four levels, blocks 3 1 2 1": decoder(**FOUR_LEVELS),
    "five levels": decoder(**FIVE_LEVELS),
    "attention everywhere": levels("CTA", "CTA", "CTA", nhead=[2, 3, 4]),
    "no attention": levels("CT", "CT", "CT"),
    "no attention, nothing injected": levels("CT", "CT", "CT", inject_effnet=[False, False, False]),
    "no T on one level": levels("CT", "CA", "CTA"),
    "no T anywhere": levels("C", "CA", "CA"),
    "no C anywhere": levels("T", "TA", "TA"),
    "level without C, injected": levels("CT", "TA", "CTA"),
    "CCTAA": levels("CT", "CCTAA", "CTA"),
    "ACT and TAC": levels("CT", "ACT", "TAC"),
    "upper level T first": levels("CT", "TCA", "CTA"),
    "first level A first": levels("AC", "CT", "CTA", nhead=[2, 3, 2]),
    "deepest level T first": levels("CT", "CTA", "TCA"),
    "T first, injected": levels("TC", "TCA", "TCA", inject_effnet=[True, True, True]),
    "a level without blocks": levels("CT", "CTA", "CTA", blocks=[1, 0, 1]),
    "the deepest level without blocks": levels("CT", "CTA", "CTA", blocks=[1, 1, 0]),
    "the first level without blocks": levels("CT", "CTA", "CTA", blocks=[0, 1, 1]),
    "no blocks at all": levels("CT", "CTA", "CTA", blocks=[0, 0, 0]),
    "a level of no letters": levels("CT", "", "CTA"),
    "two blocks, T first": levels("TC", "CTA", "CTA", blocks=[2, 2, 1]),
    "nhead -1, 0 and 3": levels("CT", "CT", "CTA", nhead=[-1, 0, 2]),
    "heads do not divide": levels("CT", "CTA", "CTA", nhead=[-1, 5, 7]),
    "kernel 1": decoder(kernel_size=1),
    "kernel 5": decoder(kernel_size=5),
    "kernel 7, three levels": levels("CT", "CTA", "CTA", kernel_size=7),
    "patch 1": decoder(patch_size=1),
    "patch 1, one level": decoder(**ONE_LEVEL, patch_size=1),
    "patch 3": {"decoder": {"patch_size": 3, "c_hidden": [18, 24]}},
    "patch 4": decoder(patch_size=4),
    "patch 4, four levels": decoder(**FOUR_LEVELS, patch_size=4),
    "c_hidden 320 alone": decoder(**{**ONE_LEVEL, "c_hidden": [320], "nhead": [20], "blocks": [1]}),
    "c_hidden narrower inside": decoder(c_hidden=[32, 8], nhead=[-1, 2]),
    "c_hidden 9 and 15": decoder(c_hidden=[9, 15], nhead=[-1, 5]),
    "c_cond 1": decoder(c_cond=1),
    "c_cond 7": decoder(c_cond=7),
    "dropout of each level": {"prior": {"dropout": 0.0}, "decoder": {"dropout": [0.0, 0.5]}},
    # Stage A
    "vq without bottleneck": {"vqgan": {"bottleneck_blocks": 0}},
    "vq 3 blocks, scale 0.05, 100 codes": {"vqgan": {"bottleneck_blocks": 3, "scale_factor": 0.05, "num_vq_embeddings": 100}},
    "vq scale 1.25": {"vqgan": {"scale_factor": 1.25}},
    "vq up_down 4, 1 level": {"vqgan": {"up_down_scale_factor": 4, "levels": 1}},
    "vq up_down 1, 3 levels": {"vqgan": {"up_down_scale_factor": 1, "levels": 3}},
    "vq up_down 3, 1 level": {
        "vqgan": {"up_down_scale_factor": 3, "levels": 1},
        "index": {"resolution_multiple": 24.0, "latent_dim_scale": 8.0},
    },
    "vq 8 pixels a latent": {"vqgan": {"levels": 3}, "index": {"resolution_multiple": 85.34}},
    "vq 2 pixels a latent": {"vqgan": {"levels": 1}, "index": {"resolution_multiple": 21.335}},
    "vq embed_dim 17": {"vqgan": {"embed_dim": 17}},
    # Constants and schedules
    "latent_mean 7.5, latent_std 0.25": {"index": {"latent_mean": 7.5, "latent_std": 0.25}},
    "resolution_multiple 32, latent_dim_scale 8": {"index": {"resolution_multiple": 32.0, "latent_dim_scale": 8.0}},
    "scaler 2, s 0.02": {"scheduler": {"scaler": 2.0, "s": 0.02}},
    "scaler 0.5": {"scheduler": {"scaler": 0.5}},
    "scaler 1, a whole number": {"scheduler": {"scaler": 1}},
    # Texts
    "clip 80 and 48, quick_gelu": {
        "prior": {"c_cond": 80},
        "decoder": {"clip_embd": 48},
        "prior_text_encoder": {"hidden_size": 80, "hidden_act": "quick_gelu", "num_attention_heads": 16},
        "decoder_text_encoder": {"hidden_size": 48, "hidden_act": "quick_gelu", "num_attention_heads": 1},
    },
    "relu and silu": {"prior_text_encoder": {"hidden_act": "relu"}, "decoder_text_encoder": {"hidden_act": "silu"}},
    "gelu_new and gelu_pytorch_tanh": {
        "prior_text_encoder": {"hidden_act": "gelu_new"},
        "decoder_text_encoder": {"hidden_act": "gelu_pytorch_tanh"},
    },
    "special ids of old configurations": {
        "prior_text_encoder": {"eos_token_id": 2, "bos_token_id": 0, "projection_dim": 7},
        "decoder_text_encoder": {"eos_token_id": 49407, "projection_dim": 1024, "attention_dropout": 0.3},
    },
    "layer_norm_eps 0.01, no layers": {
        "prior_text_encoder": {"layer_norm_eps": 0.01},
        "decoder_text_encoder": {"num_hidden_layers": 0},
    },
    "text length 20": {
        "prior_text_encoder": {"max_position_embeddings": 20},
        "decoder_text_encoder": {"max_position_embeddings": 20},
    },
    "text length 20 of 77 positions": {"files": {"tokens": 20}},
    "text length 120": {
        "prior_text_encoder": {"max_position_embeddings": 120},
        "decoder_text_encoder": {"max_position_embeddings": 120},
    },
    # Several kinds at once, for a quick look
    "unusual everywhere": {
        "prior": {"c_in": 7, "c": 50, "nhead": 3, "c_r": 31},
        "decoder": {
            **THREE_LEVELS,
            "c_r": 33,
            "effnet_embd": 7,
            "level_config": ["TC", "TCA", "CA"],
            "inject_effnet": [True, True, False],
            "nhead": [-1, 5, 7],
            "blocks": [1, 2, 0],
            "kernel_size": 1,
        },
    },
    "next to nothing": {
        "prior": {"c_in": 1, "depth": 0},
        "decoder": {**ONE_LEVEL, "patch_size": 1, "level_config": ["C"], "inject_effnet": [False]},
        "vqgan": {"up_down_scale_factor": 3, "levels": 1, "bottleneck_blocks": 0},
        "index": {"resolution_multiple": 24.0, "latent_dim_scale": 8.0},
    },
    # Files
    "shards": {"files": {"shards": True}},
    ".bin": {"files": {"binary": True}},
    "float16 files": {"files": {"dtype": "float16"}},
    "bfloat16 files": {"files": {"dtype": "bfloat16"}},
    "no model_index, no schedule": {"files": {"bare": True}},
    "missing keys": {"files": {"keys": "least"}},
    "library wuerstchen, prior at the root": {"files": {"root": True}},
}

# They have every kind that version 0.1 did not run.
QUICK = ["unusual everywhere", "next to nothing", "a level without blocks"]
