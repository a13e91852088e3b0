"""JSON files whose content is an object."""

import json
from pathlib import Path

from .errors import ExportError, reason


def read_json(file: Path) -> dict:
    if not file.is_file():  # a pipe would never end
        raise ExportError(f"Expected a JSON file but {file} cannot be read: it is no file")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ExportError(f"Expected a JSON file but {file} cannot be read: {reason(error)}") from error
    if not isinstance(content, dict):
        raise ExportError(f"Expected an object in {file} but received a value of type {type(content).__name__}")
    return content
