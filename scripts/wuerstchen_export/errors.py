"""The one error that the exporter reports to its user without a stack trace."""


class ExportError(Exception):
    """Bad input: a missing file, keys or shapes that do not fit, a model directory that holds another model."""


def listed(items: list[str], limit: int = 12) -> str:
    """`items` one a line, the first `limit` of them."""
    lines = [f"  {item}" for item in items[:limit]]
    if len(items) > limit:
        lines.append(f"  … and {len(items) - limit} more")
    return "\n".join(lines)
