"""The tokenizer: CLIP's byte-pair encoding (same alphabet, same rules) with merges learnt from the grammar's words."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

from transformers import CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from .data.captions import caption
from .data.domains import DOMAINS
from .data.scenes import sample_scene
from .device import on
from .nets import TEXT_LENGTH


def _words(captions: int) -> Counter[str]:
    random, words = Random(0), Counter[str]()
    for _ in range(captions):
        words.update(re.findall(r"[a-z]+|[^\sa-z]+", caption(random, sample_scene(random, DOMAINS[4]))))
    return words


def _learn_merges(words: Counter[str]) -> list[tuple[str, str]]:
    """Greedy byte-pair merges until each word of the grammar is one token."""
    pieces = {word: (*word[:-1], word[-1] + "</w>") for word in words}
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter[tuple[str, str]]()
        for word, split in pieces.items():
            for pair in pairwise(split):
                pairs[pair] += words[word]
        if not pairs:
            return merges
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for word, split in pieces.items():
            pieces[word] = _merge(split, best)


def _merge(split: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged, i = [], 0
    while i < len(split):
        if split[i : i + 2] == pair:
            merged.append("".join(pair))
            i += 2
        else:
            merged.append(split[i])
            i += 1
    return tuple(merged)


def build_tokenizer(folder: Path, captions=20_000) -> CLIPTokenizer:
    merges = _learn_merges(_words(captions))
    alphabet = list(bytes_to_unicode().values())  # every byte, so that any text can be encoded
    tokens = [*alphabet, *(a + "</w>" for a in alphabet), *("".join(m) for m in merges), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    # It takes pairs, and its type says lines.
    tokenizer = CLIPTokenizer(vocabulary, merges, model_max_length=TEXT_LENGTH)  # type: ignore[arg-type]
    tokenizer.save_pretrained(folder)
    return tokenizer


def load_tokenizer(work: Path) -> CLIPTokenizer:
    folder = work / "tokenizer"
    return CLIPTokenizer.from_pretrained(folder) if (folder / "tokenizer.json").exists() else build_tokenizer(folder)


def encode(tokenizer, captions: list[str], device="cpu"):
    """→ ids and attention mask [B, TEXT_LENGTH], padded as the pipeline does"""
    batch = tokenizer(captions, padding="max_length", max_length=TEXT_LENGTH, truncation=True, return_tensors="pt")
    return [on(device, ids) for ids in (batch.input_ids, batch.attention_mask)]
