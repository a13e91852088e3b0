"""What training does in other ways than the libraries, for speed (scripts/train), against the libraries."""

import pytest
import torch
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_diffnext import WuerstchenDiffNeXt
from diffusers.pipelines.deprecated.wuerstchen.modeling_wuerstchen_prior import WuerstchenPrior

from train import muon, nets

TOLERANCE = 1e-5  # relative; seen: 2e-6


def randomised(model):
    """Nothing that starts at zero stays there and hides what it is multiplied with."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model.eval()


def same(made, expected):
    assert ((made - expected).norm() / expected.norm()).item() < TOLERANCE


@pytest.mark.parametrize("size, grid", [((32, 32), (3, 3)), ((64, 96), (6, 9))])
def test_stage_b_computes_and_learns_what_diffusers_does(size, grid):
    torch.manual_seed(1)
    ours = randomised(nets.decoder())
    theirs = WuerstchenDiffNeXt(**nets.DECODER).eval()
    theirs.load_state_dict(ours.state_dict())
    x, t, text = torch.randn(2, 4, *size), torch.rand(2), torch.randn(2, nets.TEXT_LENGTH, nets.TEXT_WIDTH)
    first = torch.randn(2, 16, *grid, requires_grad=True)
    second = first.detach().clone().requires_grad_()
    made, expected = ours(x, t, first, text), theirs(x, t, second, text)
    same(made, expected)
    direction = torch.randn_like(made)
    made.backward(direction)
    expected.backward(direction)
    same(first.grad, second.grad)


def test_stage_c_computes_what_diffusers_does():
    torch.manual_seed(2)
    ours = randomised(nets.prior())
    theirs = WuerstchenPrior(**nets.PRIOR).eval()
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(2, 16, 3, 3), torch.rand(2), torch.randn(2, nets.TEXT_LENGTH, nets.TEXT_WIDTH)
    with torch.no_grad():
        same(ours(*inputs), theirs(*inputs))


SHAPES = [(24, 24), (24, 24), (96, 32), (32, 96)]


def test_muon_steps_as_torch_does():
    torch.manual_seed(3)
    ours = [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    theirs = [torch.nn.Parameter(parameter.detach().clone()) for parameter in ours]
    optimizers = [
        muon.Muon(ours, lr=0.01, weight_decay=0.01),
        torch.optim.Muon(theirs, lr=0.01, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(4):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=2e-4)  # bfloat16 inside, a step moves 0.02; seen: 0


def test_broken_gradients_teach_nothing():
    matrix, vector = torch.nn.Parameter(torch.randn(8, 8)), torch.nn.Parameter(torch.randn(8))
    optimizers = [muon.Muon([matrix], lr=0.01, weight_decay=0.0, momentum=0.0), torch.optim.AdamW([vector], lr=0.01, fused=True)]
    before = [parameter.detach().clone() for parameter in (matrix, vector)]
    for parameter, optimizer in zip((matrix, vector), optimizers, strict=True):
        parameter.grad = torch.full_like(parameter, float("nan"))
        optimizer.found_inf = torch.tensor(1.0)
        optimizer.step()
    for parameter, value in zip((matrix, vector), before, strict=True):
        torch.testing.assert_close(parameter.detach(), value, rtol=0, atol=0)
