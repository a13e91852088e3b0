"""Moving data to where the networks are."""

import torch


def on(device, tensor: torch.Tensor) -> torch.Tensor:
    """On the device, without waiting for what a GPU is busy with."""
    return tensor.pin_memory().to(device, non_blocking=True) if torch.device(device).type == "cuda" else tensor.to(device)
