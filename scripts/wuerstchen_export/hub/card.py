"""What a model card says: the licence, and which prior a decoder's repository belongs to."""

from dataclasses import dataclass
from pathlib import Path

LONGEST = 100  # characters of what is shown
NAMELESS = "unspecified"


@dataclass(frozen=True)
class Card:
    license: str  # as the card spells it: an identifier of the hub, as mit
    prior: str | None


def read_card(file: Path | None) -> Card:
    """The card's metadata, which anybody may have written: what is no text is left out."""
    if file is None:
        return Card(NAMELESS, None)
    from huggingface_hub import ModelCard

    try:
        data = ModelCard(file.read_text(encoding="utf-8-sig")).data.to_dict()
    except Exception:  # YAML of others
        return Card(NAMELESS, None)
    found = text_of(data.get("license"))
    named = text_of(data.get("license_name")) if found == "other" else None
    return Card(named or found or NAMELESS, text_of(data.get("prior")))


def text_of(value: object) -> str | None:
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return None
    return value.strip()[:LONGEST]
