"""Fetches a Würstchen v2 checkpoint from the Hugging Face hub, and exports it if asked to (docs/export.md).

    python scripts/pull.py warp-ai/wuerstchen --out checkpoint
    python scripts/pull.py warp-ai/wuerstchen --export --dtype float16 --out model

Needs huggingface_hub, and with --export what scripts/export.py needs (scripts/requirements.txt). Its cache, tokens and
environment variables are huggingface_hub's. Progress goes to stderr, the result to stdout.
"""

import argparse
import json
import sys
import traceback
from typing import NoReturn

import export
from wuerstchen_export.errors import ExportError, reason
from wuerstchen_export.hub.error import INVALID, INVALID_ARGUMENT, HubError
from wuerstchen_export.hub.faults import disk_fault
from wuerstchen_export.hub.library import need_library, silence
from wuerstchen_export.hub.needed import ROLES
from wuerstchen_export.hub.progress import Progress, amount
from wuerstchen_export.hub.repositories import repository_of
from wuerstchen_export.hub.sources import Fetched, Source, fetch_directories, source_of, with_family

MODEL_OPTIONS = ("lora", "lora_scale", "dtype", "storage", "license", "default_size", "compile")


class Parser(argparse.ArgumentParser):
    """With --json, wrong usage is JSON too. What else was given is not known then."""

    json = False

    def error(self, message: str) -> NoReturn:
        if self.json:
            print_failure(INVALID_ARGUMENT, message, None)
        super().error(message)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    add = parser.add_argument
    add("repository", metavar="REPO", help="the decoder's repository: owner/name or owner/name@revision")
    add("--revision", metavar="REV", help="branch, tag or commit of REPO; others have theirs after an @")
    export.add_sources(add)
    add("--no-image-encoder", action="store_true", help="without the image encoder that belongs to REPO")
    add("--out", type=export.directory, metavar="DIR", required=True, help="a new directory; with --export: the model directory")
    add("--export", action="store_true", help="make a model directory of the checkpoint, which stays in the cache")
    export.add_model(add)
    add("--compile", action="store_true", help="with --export: compile for this machine too")
    add("--json", action="store_true", help="print one JSON result, and no lines of progress")
    add("--quiet", action="store_true", help="print no progress")
    options = parser.parse_args(arguments)
    if options.no_image_encoder and options.image_encoder:
        parser.error("Expected --image-encoder or --no-image-encoder but received both")
    given = [name for name in MODEL_OPTIONS if getattr(options, name)]
    if not options.export and given:
        parser.error(f"Expected no --{given[0].replace('_', '-')} without --export, which it is for")
    export.check_loras(parser, options)
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        result = pull(options, (lambda line: None) if options.quiet or options.json else export.report)
    except ExportError as error:
        return refused(options, error)
    except OSError as error:
        return refused(options, disk_fault(error))
    except KeyboardInterrupt:
        return failed(options, 130, "INTERRUPTED", "Interrupted", None)
    except Exception as error:  # a fault of this package: the stack says where
        traceback.print_exc()
        return failed(options, 1, "INTERNAL", reason(error), None)
    # JSON in ASCII: a terminal of another encoding, or a path that is no UTF-8, would end it with an error.
    print(json.dumps(result) if options.json else result["manifest"] or result["out"])
    return 0


def pull(options: argparse.Namespace, report: export.Report) -> dict:
    need_library()
    from wuerstchen_export.hub import pull as pulled

    if options.quiet or options.json:
        silence()
    progress = Progress(not (options.quiet or options.json))
    pulled.check_out(options.out, options.export)
    sources = sources_of(options, report)
    if options.export:
        export.prepare_torch(options.device)
        room = export.model_room(options.out, options.storage or options.dtype)
    else:
        room = pulled.room_of(options.out)
    fetched, directories, origins = fetch_directories(sources, options.variant, room, progress, report)
    report(f"{amount(progress.received)} fetched")
    manifest = None
    if options.export:
        manifest = export.make_model(options, directories, origins, report)
        if options.compile:
            export.compile_model(options, options.out, report)
    else:
        pulled.write_checkpoint(fetched, options.out)
    return {
        "out": str(options.out),
        "manifest": str(manifest) if manifest else None,
        "received": progress.received,
        "repositories": [described(each) for each in fetched],
    }


def sources_of(options: argparse.Namespace, report: export.Report) -> dict[str, Source]:
    sources: dict[str, Source] = {"decoder": repository_of(options.repository, options.revision)}
    for role in ROLES:
        text = getattr(options, role, None)
        if text is not None:
            sources[role] = source_of(text)
    return with_family(sources, options.no_image_encoder, report)


def described(fetched: Fetched) -> dict:
    origin = fetched.origin
    return {
        "repository": origin.repository,
        "revision": fetched.listing.repository.wanted,
        "commit": origin.commit,
        "license": origin.license,
        "parts": [role.replace("_", "-") for role in fetched.roles],
        "files": [{"path": path, "size": file.size} for path, file in fetched.files.items()],
    }


def refused(options: argparse.Namespace, error: ExportError) -> int:
    code, subject = (error.code, error.subject) if isinstance(error, HubError) else (INVALID, None)
    return failed(options, 2 if code == INVALID_ARGUMENT else 1, code, str(error), subject)


def failed(options: argparse.Namespace, status: int, code: str, message: str, subject: str | None) -> int:
    """Says what went wrong as the command line does (lib/cli/outcome.ts); returns the exit code."""
    export.report(message if code == "INTERRUPTED" else f"{code}: {message}")
    if options.json:
        print_failure(code, message, subject)
    return status


def print_failure(code: str, message: str, subject: str | None) -> None:
    print(json.dumps({"error": {"code": code, "message": message, "subject": subject}}))


if __name__ == "__main__":
    export.interrupt_once()
    sys.exit(main())
