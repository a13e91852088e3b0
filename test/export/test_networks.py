"""Our modules compute what diffusers' and transformers' do: same checkpoint, same inputs, float32."""

import pytest
import torch

from wuerstchen_export.torchscript import relative_error

TOLERANCE = 1e-5  # relative to the largest value; float32 rounding through a few dozen layers is about 1e-6


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("height, width, batch", [(3, 3, 1), (3, 8, 2), (12, 5, 3)])
def test_prior(reference, stages, height, width, batch):
    prior = stages["prior"].load()[0]
    latents, text, ratio = normal(batch, 16, height, width), normal(batch, 77, 40, seed=1), torch.linspace(1, 0.01, batch)
    expected = reference.prior.prior(latents, ratio, text)
    assert relative_error(prior.step(latents, ratio, prior.condition(text)), expected) < TOLERANCE


@pytest.mark.parametrize("height, width, grid, batch", [(32, 32, (3, 3), 1), (32, 96, (3, 9), 2), (64, 16, (5, 2), 3)])
def test_decoder(reference, stages, height, width, grid, batch):
    decoder = stages["decoder"].load()[0]
    latents, text, ratio = normal(batch, 4, height, width), normal(batch, 77, 32, seed=1), torch.linspace(1, 0.01, batch)
    embeddings = 20 * normal(batch, 16, *grid, seed=2)
    expected = reference.decoder.decoder(latents, ratio, embeddings, text)
    assert relative_error(decoder.step(latents, ratio, *decoder.condition(latents, embeddings, text)), expected) < TOLERANCE


def test_decoder_without_embeddings_is_not_without_mapper_bias(reference, stages):
    """Guidance's unconditional rows have embeddings of zeros: the mappers' folded biases must still act."""
    decoder = stages["decoder"].load()[0]
    latents, text, ratio = normal(1, 4, 32, 32), normal(1, 77, 32, seed=1), torch.tensor([0.5])
    zeros = torch.zeros(1, 16, 3, 3)
    expected = reference.decoder.decoder(latents, ratio, zeros, text)
    assert relative_error(decoder.step(latents, ratio, *decoder.condition(latents, zeros, text)), expected) < TOLERANCE


def test_stage_a(reference, stages):
    vqgan = reference.decoder.vqgan
    pixels, latents = torch.rand((2, 3, 48, 32), generator=torch.Generator().manual_seed(0)), normal(2, 4, 9, 5)
    assert relative_error(stages["vqEncoder"].load()[0](pixels), vqgan.encode(pixels).latents) < TOLERANCE
    assert relative_error(stages["vqDecoder"].load()[0](latents), vqgan.decode(latents).sample) < TOLERANCE


@pytest.mark.parametrize("name, pipeline", [("priorTextEncoder", "prior"), ("decoderTextEncoder", "decoder")])
def test_text_encoders(reference, stages, name, pipeline):
    """All 77 positions, padding included: it is part of the condition."""
    pipeline = getattr(reference, pipeline)
    texts = ["a cat", "", "word " * 99]
    tokens = pipeline.tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    assert tokens.attention_mask.sum(1)[1] == 2  # start and end: the rest is masked padding
    expected = pipeline.text_encoder(tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state
    assert relative_error(stages[name].load()[0](tokens.input_ids, tokens.attention_mask), expected) < TOLERANCE


@pytest.mark.parametrize("what", ["text", "embeddings", "ratio"])
def test_every_condition_matters(stages, what):
    """Else the comparisons above would prove nothing about it."""
    decoder = stages["decoder"].load()[0]
    latents = normal(1, 4, 32, 32)
    inputs = {"embeddings": 20 * normal(1, 16, 3, 3, seed=2), "text": normal(1, 77, 32, seed=1), "ratio": torch.tensor([0.5])}

    def noise(inputs):
        return decoder.step(latents, inputs["ratio"], *decoder.condition(latents, inputs["embeddings"], inputs["text"]))

    changed = noise({**inputs, what: inputs[what] * 0})
    assert relative_error(changed, noise(inputs)) > 100 * TOLERANCE


def test_time_embedding_stays_exact_in_half_precision():
    """ratio * 10000 in half precision would be off by several periods of the sinusoids."""
    from wuerstchen_export.blocks import TimeEmbedding

    ratio = torch.linspace(0, 1, 101)
    expected = TimeEmbedding(64)(ratio)
    for dtype in [torch.float16, torch.bfloat16]:
        assert torch.equal(TimeEmbedding(64).to(dtype).float()(ratio), expected)
        assert torch.equal(TimeEmbedding(64).to(dtype)(ratio), expected)


def test_noise_that_float16_does_not_hold_stays_finite_in_half_precision(reference, stages):
    """The published formula divides by |1 - b| + 1e-5. Where b is 1, that is more than float16's 65,504 from 0.66 on."""
    prior = stages["prior"].load()[0]
    out = prior.out[1]
    torch.nn.init.zeros_(out.weight)
    out.bias.copy_(torch.cat([torch.zeros(16), torch.ones(16)]))  # a, b
    latents, text, ratio = torch.full((1, 16, 3, 3), 2.0), normal(1, 77, 40), torch.tensor([0.5])
    reference_out = reference.prior.prior.out[1]
    kept = {name: tensor.clone() for name, tensor in reference_out.named_parameters()}
    for name, tensor in reference_out.named_parameters():
        tensor.copy_(getattr(out, name).reshape(tensor.shape))
    expected = reference.prior.prior(latents, ratio, text)  # float32
    for name, tensor in reference_out.named_parameters():
        tensor.copy_(kept[name])
    for dtype in [torch.float16, torch.bfloat16]:
        half = prior.to(dtype)
        noise = half.step(latents.to(dtype), ratio, half.condition(text.to(dtype)))
        assert noise.dtype == torch.float32
        assert relative_error(noise, expected) < TOLERANCE
