"""The exported tokenizer.json gives the ids that transformers' CLIP tokenizer gives."""

import gzip
import json

import pytest
from conftest import ROOT
from tokenizers import Tokenizer

TEXTS = json.loads(gzip.decompress((ROOT / "test/parity/reference/tokens.json.gz").read_bytes()))


@pytest.mark.parametrize("file", ["prior_tokenizer.json", "decoder_tokenizer.json"])
def test_ids(model, file):
    tokenizer = Tokenizer.from_file(str(model / file))
    assert len(TEXTS) >= 1000
    for entry in TEXTS:
        ids = tokenizer.encode(entry["text"]).ids
        assert len(ids) == entry["length"]
        assert (ids if len(ids) <= 77 else [*ids[:76], ids[-1]]) == entry["ids"], repr(entry["text"])


def test_manifest_says_how_to_pad(model):
    entry = json.loads((model / "wuerstchen.json").read_text())["tokenizers"]["priorTextEncoder"]
    tokenizer = Tokenizer.from_file(str(model / entry["file"]))
    assert (entry["maxLength"], entry["padTokenId"]) == (77, tokenizer.token_to_id("<|endoftext|>"))
    assert tokenizer.padding is None and tokenizer.truncation is None
