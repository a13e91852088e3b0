"""Default timesteps of Stage C."""

import numpy as np


def default_stage_c_timesteps() -> list[float]:
    """diffusers' DEFAULT_STAGE_C_TIMESTEPS: 30 values from 1 to 0 (29 steps), 19 of the steps above 2/3."""
    return [*np.linspace(1.0, 2 / 3, 20).tolist(), *np.linspace(2 / 3, 0.0, 11).tolist()[1:]]
