"""What is compared: options of `pipeline.generate` by their TypeScript names, and texts for the tokenizer.

Sizes are small, for the expected values are committed: 128 pixels are a grid of 3 and Stage A latents of 32.
"""

from typing import Any

CAT = "a photo of a cat sitting on a red chair"
SHIP = "An oil painting of a ship in a storm, 35mm film"
LONG = "anthropomorphic cat dressed as a fire fighter, " * 8  # more than 77 tokens: cut by the reference
NEGATIVE = "low quality, blurry, watermark"

SQUARE = {"width": 128, "height": 128}
FEW = {"priorSteps": 4, "decoderSteps": 3}

# Options that a case leaves out have the defaults of design: DEFAULT_STAGE_C_TIMESTEPS, 4.0, 12 steps, 0.0.
GENERATE: dict[str, dict[str, Any]] = {
    "defaults": {"prompt": CAT, "seed": 1, **SQUARE},
    "uniform steps": {"prompt": SHIP, "seed": 2, "priorSteps": 10, "decoderSteps": 5, **SQUARE},
    "no guidance": {"prompt": CAT, "seed": 3, "priorGuidanceScale": 0.0, **FEW, **SQUARE},
    "guidance of one is none": {
        "prompt": CAT,
        "seed": 3,
        "priorGuidanceScale": 1.0,
        "decoderGuidanceScale": 1.0,
        **FEW,
        **SQUARE,
    },
    "negative prompt": {"prompt": CAT, "negativePrompt": NEGATIVE, "seed": 4, "priorGuidanceScale": 8.0, **FEW, **SQUARE},
    "decoder guidance": {"prompt": SHIP, "seed": 5, "decoderGuidanceScale": 1.5, **FEW, **SQUARE},
    "guidance everywhere": {
        "prompt": SHIP,
        "negativePrompt": NEGATIVE,
        "seed": 6,
        "priorGuidanceScale": 6.0,
        "decoderGuidanceScale": 2.5,
        **FEW,
        **SQUARE,
    },
    "decoder guidance alone": {
        "prompt": CAT,
        "negativePrompt": NEGATIVE,
        "seed": 7,
        "priorGuidanceScale": 0.0,
        "decoderGuidanceScale": 4.0,
        **FEW,
        **SQUARE,
    },
    "custom timesteps": {
        "prompt": CAT,
        "seed": 8,
        "priorTimesteps": [1.0, 0.8, 0.75, 0.3, 0.05, 0.0],
        "decoderTimesteps": [1.0, 0.6, 0.25, 0.0],
        **SQUARE,
    },
    "timesteps that start late": {
        "prompt": CAT,
        "seed": 9,
        "priorTimesteps": [0.9, 0.5, 0.0],
        "decoderTimesteps": [0.7, 0.2, 0.0],
        **SQUARE,
    },
    "landscape": {"prompt": SHIP, "seed": 10, **FEW, "width": 384, "height": 128},
    "portrait": {"prompt": SHIP, "seed": 11, "decoderGuidanceScale": 1.5, **FEW, "width": 128, "height": 256},
    "several images": {"prompt": CAT, "seed": 12, "numImagesPerPrompt": 3, **FEW, **SQUARE},
    "several prompts": {
        "prompt": [CAT, SHIP],
        "seed": 20,
        "numImagesPerPrompt": 2,
        "decoderGuidanceScale": 1.5,
        **FEW,
        **SQUARE,
    },
    "empty prompt": {"prompt": "", "seed": 13, **FEW, **SQUARE},
    "long prompt": {"prompt": LONG, "seed": 14, **FEW, **SQUARE},
    "large seed": {"prompt": CAT, "seed": 2**53 - 1, **FEW, **SQUARE},
    "one step": {"prompt": CAT, "seed": 15, "priorSteps": 1, "decoderSteps": 1, **SQUARE},
    "given latents": {"prompt": CAT, "seed": 16, "latents": "given latents/start", **FEW, **SQUARE},
    "given text embeddings": {
        "prompt": CAT,
        "seed": 17,
        "promptEmbeds": "given text embeddings/promptEmbeds",
        "negativePromptEmbeds": "given text embeddings/negativePromptEmbeds",
        **FEW,
        **SQUARE,
    },
}

# `pipeline.decode` of given embeddings, each image from its own seed.
DECODE: dict[str, dict[str, Any]] = {
    "decode": {"prompt": CAT, "seed": 30, "decoderSteps": 4, "embeddings": "decode/embeddings"},
    "decode with guidance": {
        "prompt": CAT,
        "negativePrompt": NEGATIVE,
        "seed": 40,
        "decoderSteps": 3,
        "decoderGuidanceScale": 3.0,
        "embeddings": "decode with guidance/embeddings",
    },
}

# Where the values of inputs come from: name -> (shape, seed, scale).
INPUTS = {
    "given latents/start": ((1, 16, 3, 3), 101, 1.0),
    "given text embeddings/promptEmbeds": ((1, 77, 40), 102, 1.0),
    "given text embeddings/negativePromptEmbeds": ((1, 77, 40), 103, 1.0),
    "decode/embeddings": ((2, 16, 3, 6), 104, 10.0),
    "decode with guidance/embeddings": ((1, 16, 3, 3), 105, 10.0),
}

TEXTS = [CAT, "", LONG]
