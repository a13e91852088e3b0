"""Token ids of a JSON list of texts, by the library that transformers' CLIP tokenizer is made of."""

import argparse
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--tokenizer", required=True, help="a tokenizer.json")
    parser.add_argument("--length", type=int, required=True, help="tokens that an encoder takes; the rest is cut")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(options.tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(options.length)
    json.dump([tokenizer.encode(text).ids for text in json.loads(options.texts.read_text("utf-8"))], sys.stdout)


if __name__ == "__main__":
    main()
