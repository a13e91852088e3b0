"""What huggingface_hub, its HTTP client and the system raise, as one sentence with a code and a subject."""

import errno
import os
import re
from pathlib import Path

from ..errors import reason
from .error import INVALID_ARGUMENT, NO_ROOM, NOT_FOUND, TIMEOUT, HubError
from .repositories import PINNED

PASSING = (408, 429, 500, 502, 503, 504)  # statuses that a later try may not have
TOKEN = "HF_TOKEN"
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def endpoint() -> str:
    """HF_ENDPOINT for messages, which end up in logs: without the name and the password that an address may have."""
    from huggingface_hub import constants

    return re.sub(r"^(\w+://)?.*@", r"\1", constants.ENDPOINT)


def fault_of(error: BaseException, repository: str, revision: str) -> HubError:
    """`error` as it happened with a repository."""
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, HubError):
        return error

    def fault(text: str, code: str = NOT_FOUND) -> HubError:
        return HubError(code, text, repository)

    at = endpoint()
    if isinstance(error, errors.OfflineModeIsEnabled):
        return fault(f"Expected {repository} in the cache, for HF_HUB_OFFLINE is set, but it is not there")
    if isinstance(error, errors.GatedRepoError):
        return fault(
            f"Expected access to {repository} but its authors give it on request: "
            f"ask for it at {at}/{repository}, and set {TOKEN} to a token of your account"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        pinned = ", which is pinned here: --revision main takes what is there now" if PINNED.get(repository) == revision else ""
        return fault(f"Expected the revision {revision} in {repository} but it has none of that name{pinned}")
    if isinstance(error, errors.DisabledRepoError):
        return fault(f"Expected access to {repository} but {at} has disabled it")
    if isinstance(error, errors.RepositoryNotFoundError):
        return fault(
            f"Expected a repository {repository} at {at} but it has none that you may read: "
            f"check the name, and set {TOKEN} if the repository is private"
        )
    if isinstance(error, errors.HfHubHTTPError):
        return fault(refusal(error.response.status_code, repository, at))
    if isinstance(error, httpx2.ProxyError):
        return fault(f"Expected a way to {at} but the proxy gives none ({reason(error)}){through_proxy()}")
    if isinstance(error, httpx2.TimeoutException):
        return fault(
            f"Expected an answer of {at} for {repository} but it took too long: "
            "run the same command again, it goes on where it stopped; HF_HUB_DOWNLOAD_TIMEOUT allows more seconds",
            TIMEOUT,
        )
    if isinstance(error, httpx2.TooManyRedirects):
        return fault(f"Expected {repository} at {at} but it redirects without an end: check HF_ENDPOINT")
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return fault(f"Expected an http or https address for HF_ENDPOINT but received {at!r}", INVALID_ARGUMENT)
    if isinstance(error, httpx2.TransportError):
        return fault(
            f"Expected an answer of {at} for {repository} but it cannot be reached ({reason(error)}){through_proxy()}: "
            "run the same command again, it goes on where it stopped"
        )
    if isinstance(error, OSError):
        return disk_fault(error)
    # Whatever else an answer leads to that is no answer of a hub: no JSON, or JSON of another form.
    return fault(
        f"Expected the answer of a hub from {at} for {repository} but received another ({reason(error)}){through_proxy()}: "
        "check HF_ENDPOINT"
    )


def through_proxy() -> str:
    """Which variables name a proxy, where one is asked: what answers is then perhaps not the hub."""
    named = [name for name in PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    return f"; asked through the proxy of {', '.join(named)}" if named else ""


def refusal(status: int, repository: str, at: str) -> str:
    if status == 401:
        have = f"{TOKEN} is not accepted" if os.environ.get(TOKEN) else f"there is no {TOKEN}"
        return f"Expected access to {repository} at {at} but it answers 401: {have}, or there is no such repository"
    if status == 403:
        return f"Expected access to {repository} at {at} but it answers 403: set {TOKEN} to a token that may read it"
    if status == 404:
        return f"Expected {repository} at {at} but it answers 404"
    if status == 407:
        return f"Expected a way to {at} but the proxy wants a name and a password (407){through_proxy()}"
    if status == 429:
        return (
            f"Expected an answer of {at} for {repository} but it answers 429, too many requests: try again later, or set {TOKEN}"
        )
    return f"Expected an answer of {at} for {repository} but it answers {status}: try again later"


def disk_fault(error: OSError) -> HubError:
    """A file that cannot be read or written. What has been fetched stays, and is not fetched again."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | Path) else None
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        text = f"Expected room for {where or 'a file'} but there is none left ({reason(error)}): "
        return HubError(NO_ROOM, f"{text}make room and run the same command again", where)
    text = f"Expected to read and write {where or 'a file'} but the system refused: {reason(error)}"
    return HubError(INVALID_ARGUMENT, text, where)
