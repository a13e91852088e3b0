"""Which files of a repository the exporter reads: the same choice as checkpoint.py and files.py make in a directory."""

from collections.abc import Callable, Collection
from pathlib import Path

from ..errors import ExportError
from ..files import chosen_file, is_index, shard_names

# What a directory may be for, by the exporter's options.
ROLES = ("prior", "prior_text_encoder", "decoder", "decoder_text_encoder", "vqgan", "image_encoder", "previewer")
CARD = "README.md"
ABOUT = (CARD, "LICENSE", "LICENSE.md", "LICENSE.txt")
PIPELINE = ("model_index.json", "scheduler/scheduler_config.json")
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
ROOT = ""


def needed_files(
    role: str,
    files: dict[str, Collection[str]],
    variant: str | None,
    where: str,
    read: Callable[[str], Path],
) -> list[str]:
    """Paths in the repository of `role`. `files` has the paths below every role's repository or directory, and `read` fetches one
    of them: the index of shards says what their names are."""
    names = files[role]
    networks, tokenizer = components(role, files, where)
    wanted = [*ABOUT, *PIPELINE]
    if tokenizer is not None:
        wanted += [join(tokenizer, name) for name in TOKENIZER]
    for folder in networks:
        inside = {name[len(folder) + 1 if folder else 0 :] for name in names if name.startswith(join(folder, ""))}
        chosen = chosen_file({name for name in inside if "/" not in name}, variant, join(where, folder).rstrip("/"))
        wanted += [join(folder, "config.json"), join(folder, chosen)]
        if is_index(chosen):
            shards = [join(folder, shard) for shard in shard_names(read(join(folder, chosen)))]
            for shard in shards:
                if shard not in names:
                    raise ExportError(f"Expected {shard}, which {chosen} names, in {where} but it is not there")
            wanted += shards
    return [name for name in dict.fromkeys(wanted) if name in names]


def components(role: str, files: dict[str, Collection[str]], where: str) -> tuple[list[str], str | None]:
    """The folders of the networks that are read for a role, and that of its tokenizer."""
    if role in ("vqgan", "image_encoder", "previewer"):
        return [ROOT], None
    half = role.removesuffix("_text_encoder")
    lone = half in files and is_network(files[half], half)
    if role == half:
        networks = [ROOT if lone else folder(half, files[role], where)]
        tokenizer = None
        if f"{half}_text_encoder" not in files:
            if lone and not has(files[role], "text_encoder"):
                raise ExportError(
                    f"Expected a text encoder for {where} but it is a {half} by itself: "
                    f"name the repository that has it with --{half}-text-encoder"
                )
            networks.append(folder("text_encoder", files[role], where))
            tokenizer = folder("tokenizer", files[role], where)
        asked = half == "decoder" and "vqgan" not in files and not (lone and "decoder_text_encoder" in files)
    else:
        text_alone = "config.json" in files[role] and not has(files[role], "text_encoder")
        networks = [ROOT if text_alone else folder("text_encoder", files[role], where)]
        tokenizer = ROOT if text_alone else folder("tokenizer", files[role], where)
        # Stage A of a Stage B by itself is that of the pipeline which its text encoder is from.
        asked = half == "decoder" and "vqgan" not in files and lone
    if asked:
        networks.append(folder("vqgan", files[role], where))
    return networks, tokenizer


def is_network(names: Collection[str], component: str) -> bool:
    """Whether a repository is a network by itself, and no pipeline that has it in a folder."""
    return "config.json" in names and not has(names, component)


def has(names: Collection[str], component: str) -> bool:
    return any(name.startswith(f"{component}/") for name in names)


def folder(component: str, names: Collection[str], where: str) -> str:
    if not has(names, component):
        raise ExportError(f"Expected a folder {component} in {where} but found none")
    return component


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
