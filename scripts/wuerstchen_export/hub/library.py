"""huggingface_hub, asked for what is needed and for nothing else."""

import os
import sys

from .error import INVALID_ARGUMENT, HubError


def need_library() -> None:
    """Before it is imported for the first time: it would send what is installed here, and look for newer versions of itself."""
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_UPDATE_CHECK="1")
    try:
        from huggingface_hub import constants  # noqa: F401
    except ImportError as error:
        text = f"Expected the Python package huggingface_hub but {sys.executable} has none ({error}): run wuerstchen setup"
        raise HubError(INVALID_ARGUMENT, text, None) from error
    except ValueError as error:  # it reads its environment variables when it is imported
        raise HubError(
            INVALID_ARGUMENT, f"Expected environment variables that huggingface_hub takes but {error}", None
        ) from error


def silence() -> None:
    """Without its warnings, for example that it waits before it asks again."""
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()
