"""A small CLIP tokenizer for random checkpoints: byte-level BPE in the published files' form."""

import json
from pathlib import Path

from tokenizers import pre_tokenizers

START, END = "<|startoftext|>", "<|endoftext|>"

# The words that get tokens of their own, and their beginnings, in the order of the merges.
WORDS = """the a an in on at of and to with as by it is 's 're n't cat dog ship storm house forest castle mountain lake winter
photo photograph painting paint oil portrait picture drawing sketch chair table kitchen beach sunset sun set red blue green
yellow black white dress dressed fire fighter fight er ing ed ly ion est low high quality blurry water watermark mark detail
detailed light night sky star starry small large big old new under over film 35 mm 10 24 cinematic astronaut riding ride horse
moon fox quick brown jump lazy rain city street fruit bowl lemon orange apple square circle triangle anthropomorphic
distorted deformed art artist artstation trend render über café ß ö ü é 日本 東京 の 猫 😀 при вет مر שלום , . ! ? ' - ( )
""".split()


def merges() -> list[tuple[str, str]]:
    """Each word's tokens joined from left to right, the last one marking the word's end. Not learned: a trainer breaks ties
    differently from run to run."""
    found: dict[tuple[str, str], None] = {}
    tokens: set[str] = set()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for word in WORDS:
        letters = [*byte_level.pre_tokenize_str(word)[0][0]]  # a word in other scripts is several bytes a letter
        letters[-1] += "</w>"
        joined = letters[0]
        for letter in letters[1:]:
            if joined + letter not in tokens:  # one way only to make a token
                tokens.add(joined + letter)
                found[joined, letter] = None
            joined += letter
    return list(found)


def vocabulary() -> dict[str, int]:
    """Bytes, bytes that end a word, merged tokens, start, end: the order of the published vocabulary."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = [first + second for first, second in merges()]
    return {token: i for i, token in enumerate([*alphabet, *(f"{letter}</w>" for letter in alphabet), *merged, START, END])}


def write_tokenizer(directory: Path, positions: int = 77) -> None:
    """vocab.json, merges.txt and their companions, without tokenizer.json: that is what the exporter makes of them."""
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / "vocab.json", vocabulary())
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges())]
    (directory / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    specials = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    _write(directory / "special_tokens_map.json", specials)
    config = {"do_lower_case": True, "errors": "replace", "model_max_length": positions, "tokenizer_class": "CLIPTokenizer"}
    _write(directory / "tokenizer_config.json", {**config, **specials})


def _write(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
