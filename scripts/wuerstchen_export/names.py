"""Names in the manifest that the TypeScript and the C++ know too. A test compares the three."""

DTYPES = ("float32", "float16", "bfloat16")

# In the order in which an image is made; the last two are optional.
STAGES = (
    "priorTextEncoder",
    "prior",
    "decoderTextEncoder",
    "decoder",
    "vqDecoder",
    "vqEncoder",
    "imageEncoder",
    "previewer",
)
