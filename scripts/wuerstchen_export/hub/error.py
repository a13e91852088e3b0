"""The error of this package, with a code and a subject as lib/errors.ts has them."""

from ..errors import ExportError

# The error codes of lib/errors.ts that can come from here.
INVALID_ARGUMENT, NOT_FOUND, INVALID, NO_ROOM, TIMEOUT = (
    "INVALID_ARGUMENT",
    "MODEL_NOT_FOUND",
    "MODEL_INVALID",
    "OUT_OF_MEMORY",
    "TIMEOUT",
)


class HubError(ExportError):
    """A fault with the code that the command line gives it; `subject` is a repository, a file or an option."""

    def __init__(self, code: str, message: str, subject: str | None):
        # What a server says may hold what a terminal would obey.
        super().__init__("".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in message))
        self.code, self.subject = code, subject
