"""--compile reads a manifest that anybody may have changed: it is refused in a sentence, before any program is opened."""

import copy
import json
from pathlib import Path

import pytest

from wuerstchen_export import manifest as manifests
from wuerstchen_export.compile import Options, compile_model
from wuerstchen_export.errors import ExportError

MANIFEST = json.loads((Path(__file__).parents[2] / "models/tiny/wuerstchen.json").read_text())
ARTEFACT = ["stages", "vqDecoder", "artefacts", 0]
PLACES = [
    ["defaults"],
    ["defaults", "width"],
    ["constants", "resolutionMultiple"],
    ["constants", "latentDimScale"],
    ["tokenizers", "priorTextEncoder"],
    ["stages", "vqDecoder"],
    ["stages", "vqDecoder", "config"],
    ["stages", "vqDecoder", "artefacts"],
    ARTEFACT,
    *([*ARTEFACT, key] for key in ["file", "sha256", "dtype", "device"]),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
@pytest.mark.parametrize("value", [None, "x", -1, [], {}, 10**30], ids=str)
def test_a_damaged_manifest_is_refused_in_a_sentence(tmp_path, place, value):
    manifest = copy.deepcopy(MANIFEST)
    entry = manifest
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    (tmp_path / manifests.FILE).write_text(json.dumps(manifest))
    # What is sound by itself is refused later: no programs of that device, and no file of that name or sum.
    with pytest.raises((ExportError, OSError)):
        compile_model(Options(tmp_path, (), "cpu", ("vqDecoder",)), lambda line: None)
