"""CLIP's text encoder, through transformers: token ids -> hidden states of all positions after the final layer norm.

The mask is made here because transformers' mask utilities branch on values, which a trace would freeze.
"""

from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

DEFAULTS = CLIPTextConfig().to_dict()


class TextEncoder(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        # The special ids matter only for the pooled output, which Würstchen does not use.
        special_ids = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
        model = CLIPTextModel(CLIPTextConfig(**{**config, **special_ids, "attn_implementation": "sdpa"}))
        # Not the whole model: its position_ids are a whole-number buffer, which a loader that converts a program to a
        # floating point dtype would turn into floats.
        self.token_embedding = model.embeddings.token_embedding
        self.position_embedding = model.embeddings.position_embedding
        self.encoder = model.encoder
        self.final_layer_norm = model.final_layer_norm

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """`ids`, `mask` (batch, text) int64, mask 1 up to the first end token -> (batch, text, hidden)"""
        # Made from an input, so that no device is frozen into a trace.
        position = (mask * 0 + 1).cumsum(dim=1)  # (batch, text): 1, 2, 3, …
        causal = position[:, :, None] >= position[:, None, :]  # (batch, text, text): query sees key
        visible = (causal & (mask != 0)[:, None, :])[:, None]  # (batch, 1, text, text)
        x = self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]  # (batch, text, hidden)
        for layer in self.encoder.layers:
            x = layer(x, visible, is_causal=False)
        return self.final_layer_norm(x)
