"""The committed expected values are what diffusers computes, now and here."""

import json

import pytest
from conftest import ROOT
from safetensors.torch import load_file

from checks.parity import generate_reference


@pytest.fixture(scope="module")
def computed():
    return generate_reference.compute(generate_reference.committed_texts())


def test_diffusers_computes_the_committed_values(computed):
    assert generate_reference.check(*computed) == []


def test_check_sees_a_difference(computed):
    index, values, tokens = computed
    name = "defaults/embeddings"
    changed = {**values, name: values[name] * (1 + 1e-3)}
    assert generate_reference.check(index, changed, tokens) == [f"{name} differs by 0.001, allowed is 5e-05"]


def test_cases_differ_where_their_options_do():
    """What leaves a picture as it was would test nothing; guidance of one is meant to."""
    values = load_file(ROOT / "test/parity/reference/values.safetensors")
    cases = json.loads((ROOT / "test/parity/reference/cases.json").read_text())["generate"]
    pictures = {name: values[f"{name}/pixels"] for name in cases}
    assert (pictures["no guidance"] == pictures["guidance of one is none"]).all()
    distinct = {picture.numpy().tobytes() for picture in pictures.values()}
    assert len(distinct) == len(cases) - 1


def test_size_of_the_committed_files():
    total = sum(file.stat().st_size for file in (ROOT / "test/parity/reference").iterdir())
    assert total < 3_000_000
