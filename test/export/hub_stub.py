"""The part of the Hugging Face hub's API that a pull asks for, on loopback, with faults on demand and a log of requests.

    python test/export/hub_stub.py CHECKPOINT      # a checkpoint of scripts/models/random_checkpoint.py

Started as a program it prints its address. Then `POST /stub/faults` takes a fault as JSON, and `GET /stub/log` gives the log.
Answers have the headers and codes of huggingface.co: `X-Repo-Commit`, `ETag`, `X-Linked-Etag`, `X-Error-Code`, ranges, and large
files behind a redirect to another origin, which knows no tokens. Xet is not offered.
"""

import hashlib
import json
import re
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

PINNED = "c3da41406ddd4d9c48c49aa93981a82354351b83"
CARD = "---\nlicense: mit\n{more}---\n# A model\n"
LARGE = 10_000  # bytes from which a file is stored apart, as with Git LFS


@dataclass
class Repository:
    commit: str
    files: dict[str, bytes]
    token: str | None = None  # who may read it
    gated: bool = False


@dataclass
class Fault:
    """What happens to the next `times` requests whose method and path fit."""

    path: str
    kind: str  # status | cut | wrong | no_ranges | longer | stall | redirect | html | short | silence
    times: int = 1
    status: int = 500
    after: int = 0  # bytes of the body
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"


@dataclass
class Entry:
    method: str
    path: str
    range: str | None
    authorization: str | None
    status: int = 0
    sent: int = 0  # bytes of the body
    host: str = ""


class Stub:
    def __init__(self, repositories: dict[str, Repository]):
        self.repositories = repositories
        self.faults: list[Fault] = []
        self.moved_to = ""  # where a redirect leads to; here, unless it is set
        self.sizes: dict[str, int] = {}  # that the list states, where they are not the files'
        self.names: list[object] = []  # that the list has beside the files'
        self.log: list[Entry] = []
        self.stalled = threading.Event()  # set when a request has stalled
        self.closing = threading.Event()
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(self, cdn)) for cdn in (False, True)]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.endpoint, self.cdn = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)

    def close(self) -> None:
        self.closing.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def sent(self, path: str) -> int:
        """Bytes of the bodies of a file, wherever it was fetched."""
        content = self.content(path)
        paths = (path, f"/cdn/{hashlib.sha256(content).hexdigest()}" if content is not None else path)
        return sum(entry.sent for entry in self.log if entry.method == "GET" and entry.path.endswith(paths))

    def content(self, path: str) -> bytes | None:
        return next((files[path] for files in (r.files for r in self.repositories.values()) if path in files), None)


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def is_large(content: bytes) -> bool:
    return len(content) >= LARGE


def handler(stub: Stub, cdn: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stub.faults.append(Fault(**json.loads(body)))
            self.send(200, b"{}")

        def answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if path == "/stub/log":
                return self.send(200, json.dumps([asdict(entry) for entry in stub.log]).encode())
            entry = Entry(
                self.command, path, self.headers.get("Range"), self.headers.get("Authorization"), host=self.headers["Host"]
            )
            stub.log.append(entry)
            self.entry = entry
            fault = stub.fault(self.command, path)
            if fault and fault.kind == "status":
                return self.send(fault.status, b"", fault.headers)
            if fault and fault.kind == "redirect":
                return self.send(307, b"", {"Location": f"{stub.moved_to}{self.path}"})
            if fault and fault.kind == "silence":
                stub.closing.wait()
                self.close_connection = True
                return None
            if fault and fault.kind == "html":
                return self.send(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
            if cdn:
                return self.send_large(path, fault)
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
                return self.send_info(match[1], match[2] or "main")
            if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                return self.send_file(match[1], match[2], match[3], fault)
            return self.send(404, b"")

        def repository(self, name: str, revision: str) -> Repository | None:
            """The repository, if this request may read it; otherwise the answer is given here."""
            found = stub.repositories.get(name)
            if found is None or (found.token and self.headers.get("Authorization") != f"Bearer {found.token}"):
                if found and found.gated:
                    self.error(403, "GatedRepo")
                else:
                    self.error(401 if self.headers.get("Authorization") is None else 404, "RepoNotFound")
                return None
            if revision not in ("main", found.commit, "refs/pr/1"):
                self.error(404, "RevisionNotFound")
                return None
            return found

        def error(self, status: int, code: str) -> None:
            self.send(status, json.dumps({"error": code}).encode(), {"X-Error-Code": code})

        def send_info(self, name: str, revision: str) -> None:
            found = self.repository(name, revision)
            if found is None:
                return
            blobs = parse_qs(urlsplit(self.path).query).get("blobs", [""])[0].lower() == "true"
            siblings = []
            for path, content in found.files.items():
                sibling: dict = {"rfilename": path}
                if blobs:
                    size = stub.sizes.get(path, len(content))
                    sibling |= {"size": size, "blobId": git_hash(content)}
                    if is_large(content):
                        sibling["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 134}
                siblings.append(sibling)
            siblings += [{"rfilename": name, "size": 3, "blobId": "a" * 40} for name in stub.names]
            info = {"id": name, "modelId": name, "sha": found.commit, "private": False, "siblings": siblings}
            self.send(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

        def send_file(self, name: str, revision: str, path: str, fault: Fault | None) -> None:
            found = self.repository(name, revision)
            if found is None:
                return
            if path not in found.files:
                return self.error(404, "EntryNotFound")
            content = found.files[path]
            headers = {"X-Repo-Commit": found.commit, "ETag": f'"{git_hash(content)}"'}
            if not is_large(content):
                return self.send_body(content, headers, fault)
            digest = hashlib.sha256(content).hexdigest()
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            self.send(302, b"", {**headers, "Location": f"{stub.cdn}/cdn/{digest}"})

        def send_large(self, path: str, fault: Fault | None) -> None:
            digest = path.rpartition("/")[2]
            contents = (content for repository in stub.repositories.values() for content in repository.files.values())
            content = next((content for content in contents if hashlib.sha256(content).hexdigest() == digest), None)
            if content is None:
                return self.send(404, b"")
            # A fault may also name the file as its repository does.
            names = [path for r in stub.repositories.values() for path, each in r.files.items() if each is content]
            self.send_body(
                content, {"ETag": f'"{digest}"'}, fault or next(filter(None, (stub.fault("CDN", n) for n in names)), None)
            )

        def send_body(self, content: bytes, headers: dict[str, str], fault: Fault | None) -> None:
            kind = fault.kind if fault else ""
            if kind == "wrong":
                content = bytes(len(content))
            if kind == "longer":
                content += b"more"
            status, start = 200, 0
            if (match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))) and kind != "no_ranges":
                start = int(match[1])
                if start >= len(content):
                    return self.send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                status, headers = 206, {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            end = fault.after if fault and kind in ("cut", "stall", "short") else None
            self.send(status, content[start:], headers, end, kind)

        def send(
            self, status: int, body: bytes, headers: dict[str, str] | None = None, end: int | None = None, kind: str = ""
        ) -> None:
            entry = getattr(self, "entry", None)
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if kind == "short":  # a whole answer of fewer bytes
                body = body[:end]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            part = body[:end] if kind in ("cut", "stall") else body
            if self.command == "HEAD":
                part = b""
            if entry:
                entry.status, entry.sent = status, len(part)
            self.wfile.write(part)
            self.wfile.flush()
            if kind == "stall":
                stub.stalled.set()
                while not stub.closing.is_set():
                    time.sleep(0.05)
            if kind in ("cut", "stall"):
                self.close_connection = True

    return Handler


def files_of(directory: Path) -> dict[str, bytes]:
    return {file.relative_to(directory).as_posix(): file.read_bytes() for file in sorted(directory.rglob("*")) if file.is_file()}


def published(checkpoint: Path) -> dict[str, Repository]:
    """The three repositories of the published model with the tensors of a checkpoint, and beside them what nobody needs."""
    decoder, prior, encoder = (files_of(checkpoint / name) for name in ("decoder", "prior", "image_encoder"))
    for files, stem in [(decoder, "decoder/diffusion_pytorch_model"), (prior, "prior/diffusion_pytorch_model")]:
        files[f"{stem}.bin"] = files[f"{stem}.fp16.safetensors"] = b"not needed" * 5000
        files["pictures/cat.jpg"] = b"\xff\xd8" * 8000
    for files, more in [(decoder, "prior:\n- warp-ai/wuerstchen-prior\n"), (prior, ""), (encoder, "")]:
        files["README.md"] = CARD.format(more=more).encode()
        files[".gitattributes"] = b"*.bin filter=lfs\n"
    return {
        "warp-ai/wuerstchen": Repository(PINNED, decoder),
        "warp-ai/wuerstchen-prior": Repository("a" * 40, prior),
        "warp-ai/EfficientNetEncoder": Repository("b" * 40, encoder),
    }


if __name__ == "__main__":
    running = Stub(published(Path(sys.argv[1])))
    print(json.dumps({"endpoint": running.endpoint, "cdn": running.cdn}), flush=True)
    threading.Event().wait()
