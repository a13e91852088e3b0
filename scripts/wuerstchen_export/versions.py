"""The torch that makes an artefact, and the oldest LibTorch that runs it."""

import torch

OLDEST_LIBTORCH = "2.11"
"""Programs and CPU libraries run on it as on the newest (docs/verification.md); lib/install/version.mjs has the same number."""


def made_with() -> dict[str, str]:
    return {"torch": torch.__version__.split("+")[0]}


def made_for_all() -> dict[str, str]:
    return {**made_with(), "leastTorch": OLDEST_LIBTORCH}
