"""The one error that the exporter reports to its user without a stack trace."""

LONGEST_REASON = 300  # torch explains in paragraphs why it does not open a pickle


class ExportError(Exception):
    """Bad input: a missing file, keys or shapes that do not fit, a model directory that holds another model."""


def listed(items: list[str], limit: int = 12) -> str:
    """`items` one a line, the first `limit` of them."""
    lines = [f"  {item}" for item in items[:limit]]
    if len(items) > limit:
        lines.append(f"  … and {len(items) - limit} more")
    return "\n".join(lines)


def reason(error: BaseException) -> str:
    """What a library says, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
