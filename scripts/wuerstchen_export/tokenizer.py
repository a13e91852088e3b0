"""tokenizer.json of a text encoder, in the form that the run-time tokenizer reads."""

import json
from dataclasses import dataclass
from pathlib import Path

from transformers import CLIPTokenizer

from .errors import ExportError


@dataclass(frozen=True)
class Tokenizer:
    json: str
    max_length: int
    pad_token_id: int


def read_tokenizer(directory: Path, positions: int, vocabulary: int) -> Tokenizer:
    """CLIP's tokenizer from tokenizer.json, or from vocab.json and merges.txt where that is absent.

    `positions` and `vocabulary` are what the text encoder can take: longer or unknown ids would read past its tables.
    """
    has_files = (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file()
    if not has_files and not (directory / "tokenizer.json").is_file():
        raise ExportError(f"Expected tokenizer.json, or vocab.json and merges.txt, in {directory} but found neither")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(directory, local_files_only=True)
    except Exception as error:  # the library passes on every exception of its parsers
        raise ExportError(f"The tokenizer in {directory} cannot be read: {error}") from error
    for name in ("model_max_length", "pad_token_id"):  # the latter is None where the vocabulary lacks the token
        value = getattr(tokenizer, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ExportError(f"Expected a whole number for {name} of the tokenizer in {directory} but received {value!r}")
    ids = tokenizer.get_vocab().values()
    if max(ids) >= vocabulary:
        raise ExportError(
            f"Expected token ids below {vocabulary} (the text encoder's vocabulary) in {directory} but received {max(ids)}"
        )
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content["padding"] = content["truncation"] = None  # the runtime pads and truncates, and reports what it cut off
    return Tokenizer(
        json=json.dumps(content, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n",
        max_length=min(tokenizer.model_max_length, positions),
        pad_token_id=tokenizer.pad_token_id,
    )
