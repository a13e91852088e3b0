"""Libraries that another machine compiled, compared with their programs on this one: the whole run of --verify."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from . import aoti
from . import manifest as manifests
from .compile import FILE, FOLDER, Options, checked_file, read_index
from .cross.gpus import runs_on
from .errors import ExportError, listed
from .publish import partial_directory, publish
from .stages import stage_of
from .weights import file_sha256


def verify_model(options: Options, report: Callable[[str], None]) -> Path:
    """Runs every library that this machine can run, at all the sizes that a compiled one is tried at, and notes in the index
    which are right. Those that are not are taken out of it, so that nothing uses them, and are an error. What could not be run
    stays marked."""
    manifest = manifests.read_manifest(options.model)
    folder = options.model / FOLDER
    if manifest is None or not (folder / FILE).is_file():
        raise ExportError(f"Expected a model directory with {FOLDER}/{FILE} but {options.model} has none")
    index = read_index(folder)
    tried, failures, wrong = 0, [], []
    for entry in index["artefacts"]:
        artefact = program_of(manifest, entry)
        if artefact is None or not is_wanted(entry, artefact, options):
            continue
        tried += 1
        try:
            verify_entry(entry, artefact, manifest, options, report)
            entry.pop("verified", None)
        except ExportError as error:
            failures.append(str(error))
            wrong.append(entry)
        except RuntimeError as error:
            failures.append(str(error))
            entry["verified"] = False
    index["artefacts"] = [entry for entry in index["artefacts"] if entry not in wrong]
    if not tried:
        raise ExportError(f"Expected libraries for this machine in {folder} but found none")
    with partial_directory(folder) as partial:
        publish(partial, folder, FILE, manifests.dump(index))
    if failures:
        raise ExportError(f"{len(failures)} of {tried} programs have libraries that are not right here\n{listed(failures)}")
    return folder / FILE


def program_of(manifest: dict, entry: dict) -> dict | None:
    """The program of a library; none where it has changed, so that nothing uses the library."""
    artefacts = manifest["stages"].get(entry["stage"], {}).get("artefacts", [])
    wanted = entry["program"]
    return next((a for a in artefacts if (a["file"], a["sha256"]) == (wanted["file"], wanted["sha256"])), None)


def is_wanted(entry: dict, artefact: dict, options: Options) -> bool:
    asked = entry["stage"] in options.stages and (not options.dtypes or artefact["dtype"] in options.dtypes)
    here = aoti.target_of(options.device)
    if not asked or entry["device"] != options.device:
        return False
    if options.device == "cpu":
        order = list(aoti.ISAS)
        return entry["isa"] in order and order.index(entry["isa"]) <= order.index(here["isa"])
    same_minor = entry["torch"].split(".")[:2] == here["torch"].split(".")[:2]
    return same_minor and runs_on(entry["gpuArch"], here["gpuArch"])


def verify_entry(entry: dict, artefact: dict, manifest: dict, options: Options, report: Callable[[str], None]) -> None:
    stage = stage_of(entry["stage"], manifest["stages"][entry["stage"]]["config"])
    dtype = getattr(torch, artefact["dtype"])
    program = torch.jit.load(str(checked_file(options.model, artefact)), map_location=options.device).to(dtype)
    for function, facts in entry["libraries"].items():
        started = time.monotonic()
        file = options.model / facts["file"]
        if file_sha256(file) != facts["sha256"]:
            raise ExportError(f"Expected the sha256 of {FILE} for {file} but it is another file")
        error = aoti.verify(file, set(), program, stage, function, dtype, options.device)  # weights in the order of the program
        report(
            f"{stage.name}.{function}: {file.name} differs from the program by {error:.0e}, {time.monotonic() - started:.1f} s"
        )
