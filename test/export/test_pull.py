"""`scripts/pull.py` against a stub of the hub: what is fetched, resumed, checked and refused."""

import fcntl
import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from hub_stub import PINNED, Fault, Repository, Stub, git_hash, published

DECODER, PRIOR, ENCODER = "warp-ai/wuerstchen", "warp-ai/wuerstchen-prior", "warp-ai/EfficientNetEncoder"
WEIGHTS = "decoder/diffusion_pytorch_model.safetensors"
PATHS = {
    "decoder": [
        "README.md",
        "decoder/config.json",
        WEIGHTS,
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "vqgan/config.json",
        "vqgan/diffusion_pytorch_model.safetensors",
    ],
    "prior": [
        "README.md",
        "model_index.json",
        "prior/config.json",
        "prior/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
    ],
    "image-encoder": ["README.md", "config.json", "diffusion_pytorch_model.safetensors"],
}
ROLES = {"decoder": DECODER, "prior": PRIOR, "image-encoder": ENCODER}


@pytest.fixture
def stub(checkpoint):
    running = Stub(published(checkpoint))
    yield running
    running.close()


@pytest.fixture
def start(stub, tmp_path):
    """Starts scripts/pull.py with a cache of the test's own."""

    def start(*options: str, repository: str = DECODER, **variables: str) -> subprocess.Popen:
        env = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY") and name[:3] != "HF_"}
        env |= {"HF_ENDPOINT": stub.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DOWNLOAD_TIMEOUT": "60", **variables}
        return subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "pull.py"), repository, *options],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    return start


@pytest.fixture
def pull(start):
    """Runs it to its end."""

    def pull(*options: str, **more: str) -> SimpleNamespace:
        process = start(*options, **more)
        stdout, stderr = process.communicate()
        return SimpleNamespace(code=process.returncode, stdout=stdout, stderr=stderr)

    return pull


def failure(result: SimpleNamespace) -> dict:
    assert "Traceback" not in result.stderr
    return json.loads(result.stdout)["error"]


def paths_below(directory: Path) -> list[str]:
    return sorted(file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_file())


def blobs(tmp_path: Path, repository: str = DECODER) -> Path:
    return tmp_path / "home" / "hub" / f"models--{repository.replace('/', '--')}" / "blobs"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# What is fetched


def test_the_published_model_by_one_name(stub, pull, tmp_path):
    result = pull("--out", "checkpoint")
    assert (result.code, result.stdout) == (0, "checkpoint\n")
    out = tmp_path / "checkpoint"
    for role, paths in PATHS.items():
        repository = stub.repositories[ROLES[role]]
        assert paths_below(out / role) == sorted([*paths, "wuerstchen-origin.json"])
        assert [path for path in paths if (out / role / path).read_bytes() != repository.files[path]] == []
        origin = json.loads((out / role / "wuerstchen-origin.json").read_text())
        assert (origin["repository"], origin["commit"], origin["license"]) == (ROLES[role], repository.commit, "mit")
        assert f"{ROLES[role]} (" in result.stderr and f"{stub.endpoint}/{ROLES[role]}" in result.stderr
    assert "licence mit" in result.stderr
    # Nothing but the lists and the files, and of files nothing twice: no telemetry, no look for newer versions.
    asked = [entry.path for entry in stub.log if entry.status != 302]
    assert [path for path in asked if not path.startswith(("/api/models/", "/cdn/", "/warp-ai/"))] == []
    assert sum(len(stub.repositories[ROLES[role]].files[path]) for role in PATHS for path in PATHS[role]) == sum(
        entry.sent for entry in stub.log if not entry.path.startswith("/api/")
    )


def test_what_is_in_the_cache_is_not_fetched_again(stub, pull, tmp_path):
    assert pull("--out", "first").code == 0
    stub.log.clear()
    result = pull("--out", "second", "--json")
    assert (result.code, result.stderr) == (0, "")
    assert [entry.path for entry in stub.log if not entry.path.startswith("/api/")] == []
    answer = json.loads(result.stdout)
    assert (answer["received"], answer["manifest"]) == (0, None)
    assert [(each["repository"], each["commit"], each["parts"]) for each in answer["repositories"]] == [
        (DECODER, PINNED, ["decoder"]),
        (PRIOR, "a" * 40, ["prior"]),
        (ENCODER, "b" * 40, ["image-encoder"]),
    ]


def test_weights_are_the_cache_s_own_and_small_files_are_copies(pull, tmp_path):
    assert pull("--out", "checkpoint").code == 0
    out = tmp_path / "checkpoint" / "decoder"
    assert (out / WEIGHTS).stat().st_nlink == 2
    assert (out / "decoder/config.json").stat().st_nlink == 1


def test_the_layout_of_the_cache_is_the_library_s(pull, tmp_path):
    """What other programs fetch with huggingface_hub they find there, and offline."""
    assert pull("--out", "checkpoint", "--no-image-encoder").code == 0
    assert not (tmp_path / "checkpoint" / "image-encoder").exists()
    code = f"from huggingface_hub import hf_hub_download as get; print(get({PRIOR!r}, 'prior/config.json'))"
    env = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found).read_bytes() == (tmp_path / "checkpoint/prior/prior/config.json").read_bytes()


def test_without_symbolic_links(pull, tmp_path):
    for out in ("first", "second"):
        assert pull("--out", out, HF_HUB_DISABLE_SYMLINKS="1").code == 0
    assert [file for file in (tmp_path / "home").rglob("*") if file.is_symlink()] == []
    assert pull("--out", "offline", HF_HUB_OFFLINE="1").code == 0


@pytest.mark.parametrize("options, commit", [([], PINNED), (["--revision", "main"], "d" * 40)])
def test_the_pinned_commit_unless_another_revision_is_asked_for(stub, pull, options, commit):
    repository = stub.repositories[DECODER]
    repository.commit = commit
    result = pull("--out", "checkpoint", "--json", *options)
    assert json.loads(result.stdout)["repositories"][0]["commit"] == commit


def test_revisions_of_the_other_repositories(stub, pull):
    result = pull("--out", "checkpoint", "--json", "--prior", f"{PRIOR}@refs/pr/1")
    assert json.loads(result.stdout)["repositories"][1]["revision"] == "refs/pr/1"
    assert any(entry.path.endswith("/revision/refs/pr/1") for entry in stub.log)


def test_the_prior_that_a_model_card_names(stub, pull):
    stub.repositories["somebody/fine"] = Repository("e" * 40, stub.repositories[DECODER].files)
    result = pull("--out", "checkpoint", "--json", repository="somebody/fine")
    assert [each["repository"] for each in json.loads(result.stdout)["repositories"]] == ["somebody/fine", PRIOR]
    stub.repositories["somebody/fine"].files = {**stub.repositories[DECODER].files, "README.md": b"no metadata"}
    stub.repositories["somebody/fine"].commit = "f" * 40
    error = failure(pull("--out", "other", "--json", repository="somebody/fine"))
    assert (error["code"], error["subject"]) == ("MODEL_NOT_FOUND", "somebody/fine")
    assert "--prior" in error["message"]


def test_a_prior_by_itself(stub, pull, tmp_path):
    files = stub.repositories[PRIOR].files
    lone = {name: files[f"prior/{name}"] for name in ("config.json", "diffusion_pytorch_model.safetensors")}
    stub.repositories["warp-ai/wuerstchen-prior-model-base"] = Repository("e" * 40, {**lone, "README.md": files["README.md"]})
    result = pull("--out", "checkpoint", "--prior", "warp-ai/wuerstchen-prior-model-base")
    assert result.code == 0, result.stderr
    assert paths_below(tmp_path / "checkpoint" / "prior") == ["README.md", *sorted(lone), "wuerstchen-origin.json"]
    assert "prior/diffusion_pytorch_model.safetensors" not in paths_below(tmp_path / "checkpoint" / "prior-text-encoder")
    assert "text_encoder/model.safetensors" in paths_below(tmp_path / "checkpoint" / "prior-text-encoder")
    assert "tokenizer/vocab.json" in paths_below(tmp_path / "checkpoint" / "prior-text-encoder")


def test_a_variant_and_shards(stub, pull, tmp_path):
    files = stub.repositories[DECODER].files
    content = files.pop("text_encoder/model.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    files["text_encoder/model.safetensors.index.json"] = json.dumps(index).encode()
    files["text_encoder/model-00001-of-00002.safetensors"] = content[:20_000]
    files["text_encoder/model-00002-of-00002.safetensors"] = content[20_000:]
    assert pull("--out", "checkpoint", "--variant", "fp16").code == 0
    found = paths_below(tmp_path / "checkpoint" / "decoder")
    assert [path for path in found if path.startswith(("text_encoder/m", "decoder/d"))] == [
        "decoder/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json",
    ]
    del files["text_encoder/model-00002-of-00002.safetensors"]
    error = failure(pull("--out", "other", "--json"))
    assert (error["code"], "model-00002-of-00002.safetensors" in error["message"]) == ("MODEL_NOT_FOUND", True)


def test_pickles_where_there_is_nothing_else(stub, pull, tmp_path):
    files = stub.repositories[PRIOR].files
    del files["prior/diffusion_pytorch_model.safetensors"]
    assert pull("--out", "checkpoint").code == 0
    assert "prior/diffusion_pytorch_model.bin" in paths_below(tmp_path / "checkpoint" / "prior")


# Interruptions


@pytest.mark.parametrize("after", [1, 300_000, 779_271])
def test_a_connection_that_ends_early_is_resumed(stub, pull, tmp_path, after):
    stub.faults.append(Fault(WEIGHTS, "cut", after=after, method="CDN"))
    result = pull("--out", "checkpoint")
    assert result.code == 0, result.stderr
    content = stub.repositories[DECODER].files[WEIGHTS]
    assert (tmp_path / "checkpoint/decoder" / WEIGHTS).read_bytes() == content
    assert stub.sent(WEIGHTS) == len(content)
    assert [entry.range for entry in stub.log if entry.path == f"/cdn/{sha256(content)}"] == [None, f"bytes={after}-"]


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_pull_goes_on_where_it_stopped(stub, start, pull, tmp_path, number, code):
    content = stub.repositories[DECODER].files[WEIGHTS]
    stub.faults.append(Fault(WEIGHTS, "stall", after=400_000, method="CDN"))
    process = start("--out", "checkpoint", "--json")
    assert stub.stalled.wait(60)
    partial = blobs(tmp_path) / f"{sha256(content)}.incomplete"
    while not partial.is_file() or partial.stat().st_size < 400_000:
        assert process.poll() is None
    process.send_signal(number)
    stdout, stderr = process.communicate()
    assert process.returncode == code
    if number == signal.SIGINT:
        assert (json.loads(stdout)["error"]["code"], stderr) == ("INTERRUPTED", "Interrupted\n")
    assert not (tmp_path / "checkpoint").exists()
    assert partial.stat().st_size == 400_000
    before = {entry.path for entry in stub.log if entry.sent}
    stub.log.clear()
    assert pull("--out", "checkpoint").code == 0
    assert (tmp_path / "checkpoint/decoder" / WEIGHTS).read_bytes() == content
    assert stub.sent(WEIGHTS) == len(content) - 400_000
    assert {entry.path for entry in stub.log if entry.sent and "/api/" not in entry.path} & before == {f"/cdn/{sha256(content)}"}


def test_a_server_without_ranges(stub, start, pull, tmp_path):
    stub.faults += [
        Fault(WEIGHTS, "cut", after=300_000, method="CDN"),
        Fault(WEIGHTS, "no_ranges", method="CDN"),
    ]
    assert pull("--out", "checkpoint").code == 0
    content = stub.repositories[DECODER].files[WEIGHTS]
    assert (tmp_path / "checkpoint/decoder" / WEIGHTS).read_bytes() == content
    assert stub.sent(WEIGHTS) == 300_000 + len(content)


def test_a_left_over_that_is_longer_than_the_file(stub, pull, tmp_path):
    content = stub.repositories[DECODER].files[WEIGHTS]
    blobs(tmp_path).mkdir(parents=True)
    (blobs(tmp_path) / f"{sha256(content)}.incomplete").write_bytes(content + b"more")
    assert pull("--out", "checkpoint").code == 0
    assert (tmp_path / "checkpoint/decoder" / WEIGHTS).read_bytes() == content


def test_left_overs_of_a_killed_pull_are_removed(pull, tmp_path):
    stale = tmp_path / ".checkpoint.partial-999999999"
    (stale / "decoder").mkdir(parents=True)
    assert pull("--out", "checkpoint").code == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoint", "home"]


def test_two_at_a_time_wait_for_each_other(stub, start, tmp_path):
    content = stub.repositories[DECODER].files[WEIGHTS]
    lock = tmp_path / "home/hub/.locks" / blobs(tmp_path).parent.name / f"{sha256(content)}.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        process = start("--out", "checkpoint")
        for line in process.stderr:
            if "waiting for it" in line:
                break
        assert not (tmp_path / "checkpoint").exists()
        assert stub.sent(WEIGHTS) == 0
    assert process.wait() == 0
    assert stub.sent(WEIGHTS) == len(content)


# Content


@pytest.mark.parametrize("kind, after", [("wrong", 0), ("longer", 0)])
@pytest.mark.parametrize("path, method", [(WEIGHTS, "CDN"), ("decoder/config.json", "GET")])
def test_a_file_that_does_not_fit_is_fetched_again_once(stub, pull, tmp_path, kind, after, path, method):
    content = stub.repositories[DECODER].files[path]
    stub.faults.append(Fault(path, kind, method=method))
    result = pull("--out", "checkpoint")
    assert result.code == 0, result.stderr
    assert f"{path} is not what the hub lists" in result.stderr
    assert (tmp_path / "checkpoint/decoder" / path).read_bytes() == content
    stub.faults.append(Fault(path, kind, method=method, times=2))
    name = sha256(content) if path == WEIGHTS else git_hash(content)
    (blobs(tmp_path) / name).unlink()
    stub.log.clear()
    error = failure(pull("--out", "other", "--json"))
    assert (error["code"], error["subject"]) == ("MODEL_INVALID", path)
    assert name in error["message"]
    assert len([entry for entry in stub.log if entry.status == 200 and entry.path.endswith((path, name))]) == 2
    assert [file for file in blobs(tmp_path).iterdir() if file.name.startswith(name)] == []
    assert not (tmp_path / "other").exists()


def test_answers_that_stay_too_short_are_no_fault_of_the_disk(stub, pull):
    stub.faults.append(Fault("decoder/config.json", "short", times=50))
    result = pull("--out", "checkpoint", "--json")
    error = failure(result)
    assert (result.code, error["code"], error["subject"]) == (1, "MODEL_NOT_FOUND", DECODER)
    assert f"from {stub.endpoint} but the answer ends after 0: run the same command again" in error["message"]


def test_answers_that_are_whole_but_too_short_are_gone_on_with(stub, pull, tmp_path):
    stub.faults.append(Fault(WEIGHTS, "short", after=100_000, method="CDN"))
    assert pull("--out", "checkpoint").code == 0
    assert stub.sent(WEIGHTS) == len(stub.repositories[DECODER].files[WEIGHTS])


def test_a_damaged_cache(stub, pull, tmp_path):
    """Also one in which only a bit is wrong: a size would not show it."""
    assert pull("--out", "checkpoint").code == 0
    blob = blobs(tmp_path) / sha256(stub.repositories[DECODER].files[WEIGHTS])
    content = bytearray(blob.read_bytes())
    content[1000] ^= 1
    blob.unlink()  # the checkpoint has the same file
    blob.write_bytes(content)
    error = failure(pull("--out", "offline", "--json", HF_HUB_OFFLINE="1"))
    assert (error["code"], error["subject"]) == ("MODEL_INVALID", WEIGHTS)
    assert pull("--out", "other").code == 0
    assert sha256(blob.read_bytes()) == blob.name


# Refusals


def test_no_such_repository(stub, pull):
    error = failure(pull("--out", "checkpoint", "--json", repository="nobody/nothing", HF_TOKEN="hf_x"))
    assert (error["code"], error["subject"]) == ("MODEL_NOT_FOUND", "nobody/nothing")
    assert "HF_TOKEN" in error["message"]


def test_tokens_reach_the_hub_and_nobody_else(stub, pull, tmp_path):
    for repository in stub.repositories.values():
        repository.token = "hf_secret"
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], "HF_TOKEN" in error["message"]) == ("MODEL_NOT_FOUND", True)
    error = failure(pull("--out", "checkpoint", "--json", HF_TOKEN="hf_other"))
    assert (error["code"], "HF_TOKEN" in error["message"]) == ("MODEL_NOT_FOUND", True)
    stub.log.clear()
    assert pull("--out", "checkpoint", HF_TOKEN="hf_secret").code == 0
    assert {entry.authorization for entry in stub.log if entry.path.startswith("/cdn/")} == {None}
    assert {entry.authorization for entry in stub.log if not entry.path.startswith("/cdn/")} == {"Bearer hf_secret"}
    assert [file for file in tmp_path.rglob("*") if file.is_file() and b"hf_secret" in file.read_bytes()] == []


@pytest.mark.parametrize("where", ["up", "down", "no address"])
def test_a_password_in_the_endpoint_is_not_shown(stub, pull, where):
    scheme, host = stub.endpoint.split("://")
    endpoint = {
        "up": f"{scheme}://user:s3cret@{host}",
        "down": f"{scheme}://user:s3@cret@127.0.0.1:9",
        "no address": f"user:s3cret@{host}",
    }[where]
    result = pull("--out", "checkpoint", HF_ENDPOINT=endpoint)
    assert (result.code == 0) == (where == "up")
    assert "cret" not in result.stdout + result.stderr and "user" not in result.stderr
    assert (host if where != "down" else "127.0.0.1:9") in result.stderr


def test_a_gated_repository(stub, pull):
    stub.repositories[PRIOR].token, stub.repositories[PRIOR].gated = "hf_secret", True
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], error["subject"]) == ("MODEL_NOT_FOUND", PRIOR)
    assert f"{stub.endpoint}/{PRIOR}" in error["message"] and "HF_TOKEN" in error["message"]


@pytest.mark.parametrize("status, text", [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "404"), (418, "418")])
def test_answers_that_do_not_change(stub, pull, status, text):
    stub.faults.append(Fault("/api/models/warp-ai/wuerstchen-prior", "status", status=status, times=9))
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], error["subject"], text in error["message"]) == ("MODEL_NOT_FOUND", PRIOR, True)
    assert stub.faults[0].times == 8


def test_no_such_revision(stub, pull):
    error = failure(pull("--out", "checkpoint", "--json", "--revision", "v9"))
    assert (error["code"], error["subject"]) == ("MODEL_NOT_FOUND", DECODER)
    assert "v9" in error["message"]
    stub.repositories[DECODER].commit = "c" * 40
    assert "--revision main" in failure(pull("--out", "checkpoint", "--json"))["message"]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("path, method", [("/api/models/warp-ai/wuerstchen-prior", "GET"), (WEIGHTS, "GET")])
def test_what_passes_is_asked_again(stub, pull, status, path, method):
    stub.faults.append(Fault(path, "status", status=status, headers={"Retry-After": "0"}, method=method, times=2))
    result = pull("--out", "checkpoint")
    assert (result.code, stub.faults[0].times) == (0, 0), result.stderr


@pytest.mark.parametrize("path", ["/api/", WEIGHTS])
def test_a_hub_that_asks_for_an_hour(stub, pull, path):
    stub.faults.append(Fault(path, "status", status=429, headers={"Retry-After": "3600"}))
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], "429" in error["message"]) == ("MODEL_NOT_FOUND", True)


def test_a_hub_that_is_down(stub, pull):
    stub.faults.append(Fault("/api/", "status", status=503, headers={"Retry-After": "0"}, times=99))
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], "503" in error["message"]) == ("MODEL_NOT_FOUND", True)
    stub.faults.clear()
    assert pull("--out", "first").code == 0
    stub.faults.append(Fault("/api/", "status", status=503, headers={"Retry-After": "0"}, times=99))
    result = pull("--out", "second")
    assert (result.code, "using commit" in result.stderr) == (0, True)


def test_offline(stub, pull, tmp_path):
    error = failure(pull("--out", "checkpoint", "--json", HF_HUB_OFFLINE="1"))
    assert (error["code"], error["subject"]) == ("MODEL_NOT_FOUND", DECODER)
    assert "HF_HUB_OFFLINE" in error["message"]
    assert pull("--out", "first").code == 0
    stub.log.clear()
    result = pull("--out", "second", "--json", HF_HUB_OFFLINE="1")
    assert (result.code, stub.log) == (0, [])
    assert paths_below(tmp_path / "second") == paths_below(tmp_path / "first")
    for file in (tmp_path / "home").rglob("vqgan/diffusion_pytorch_model.safetensors"):
        file.unlink()
    error = failure(pull("--out", "third", "--json", HF_HUB_OFFLINE="1"))
    assert (error["code"], error["subject"]) == ("MODEL_NOT_FOUND", DECODER)
    assert "HF_HUB_OFFLINE" in error["message"] and "vqgan" in error["message"]


@pytest.mark.parametrize(
    "variables, code, text",
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "MODEL_NOT_FOUND", "cannot be reached"),
        ({"HF_ENDPOINT": "http://127.0.0.2:9", "HTTP_PROXY": "http://127.0.0.1:9"}, "MODEL_NOT_FOUND", "HTTP_PROXY"),
        ({"HF_ENDPOINT": "ftp://hub"}, "INVALID_ARGUMENT", "HF_ENDPOINT"),
        ({"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}, "INVALID_ARGUMENT", "soon"),
    ],
)
def test_ways_that_lead_nowhere(pull, variables, code, text):
    error = failure(pull("--out", "checkpoint", "--json", **variables))
    assert (error["code"], text in error["message"]) == (code, True)


def test_answers_of_something_else(stub, pull):
    stub.faults.append(Fault("/api/", "html", times=9))
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], "HF_ENDPOINT" in error["message"]) == ("MODEL_NOT_FOUND", True)
    stub.faults[:] = [Fault("/api/", "redirect", times=99)]
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], "redirects" in error["message"]) == ("MODEL_NOT_FOUND", True)


def test_an_answer_that_does_not_come(stub, pull):
    stub.faults.append(Fault("/api/", "silence", times=9))
    error = failure(pull("--out", "checkpoint", "--json", HF_HUB_DOWNLOAD_TIMEOUT="1"))
    assert (error["code"], "HF_HUB_DOWNLOAD_TIMEOUT" in error["message"]) == ("TIMEOUT", True)


def test_an_endpoint_that_has_moved(stub, checkpoint, pull):
    other = Stub(published(checkpoint))
    try:
        stub.faults.append(Fault("warp-ai", "redirect", times=999))
        stub.moved_to = other.endpoint
        assert pull("--out", "checkpoint").code == 0
        assert len(other.log) > 20
    finally:
        other.close()


def test_places_that_cannot_be_written(stub, pull, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    for out, more in [("file", []), ("full", []), ("file/below", []), ("file", ["--export"])]:
        result = pull("--out", out, "--json", *more)
        error = failure(result)
        assert (result.code, error["code"], error["subject"]) == (2, "INVALID_ARGUMENT", "out")
    assert stub.log == []
    (tmp_path / "empty").mkdir()
    assert pull("--out", "empty").code == 0


def test_a_full_disk_is_known_before(monkeypatch, tmp_path):
    from wuerstchen_export.hub import space
    from wuerstchen_export.hub.error import HubError

    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: SimpleNamespace(free=9_000_000_000))
    space.check_space([(tmp_path / "cache", 8_000_000_000, "files"), (tmp_path / "out", 1_000_000_000, "the model")])
    with pytest.raises(HubError, match="9.1 GB of room .*8.0 GB for files, 1.1 GB for the model.* 9.0 GB are free") as caught:
        space.check_space([(tmp_path / "cache", 8_000_000_000, "files"), (tmp_path / "out", 1_100_000_000, "the model")])
    assert caught.value.code == "OUT_OF_MEMORY"


def test_nothing_is_fetched_for_a_disk_that_is_too_small(stub, pull, tmp_path):
    """A list that says 10^15 bytes is more than any disk of a test machine has."""
    stub.sizes[WEIGHTS] = 10**15
    error = failure(pull("--out", "checkpoint", "--json"))
    assert (error["code"], "1000000.0 GB for the files of warp-ai/wuerstchen" in error["message"]) == ("OUT_OF_MEMORY", True)
    assert {entry.path.rpartition("/")[2] for entry in stub.log if "/resolve/" in entry.path} == {"README.md"}


def test_a_disk_that_becomes_full(stub, pull, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))  # a child has it too
    try:
        result = pull("--out", "checkpoint", "--json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert failure(result)["code"] == "OUT_OF_MEMORY"
    stub.log.clear()
    assert pull("--out", "checkpoint").code == 0
    assert stub.sent(WEIGHTS) == len(stub.repositories[DECODER].files[WEIGHTS]) - 500_000


@pytest.mark.parametrize(
    "repository, options",
    [
        ("wuerstchen", []),
        ("../x/y", []),
        ("a/b@../c", []),
        (DECODER, ["--revision", "-x"]),
        (f"{DECODER}@main", ["--revision", "main"]),
        (DECODER, ["--dtype", "float16"]),
        (DECODER, ["--image-encoder", ENCODER, "--no-image-encoder"]),
        (DECODER, ["--export", "--lora-scale", "2"]),
    ],
)
def test_wrong_usage(stub, pull, repository, options):
    result = pull("--out", "checkpoint", *options, repository=repository)
    assert (result.code, result.stdout, stub.log) == (2, "", [])
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "options",
    [["--dtype", "float16"], ["--dtype", "int8", "--export"], ["--variant", "a/b"], ["--no-such-option"], ["--prior", ""]],
)
def test_wrong_usage_is_json_where_that_is_asked_for(stub, pull, options):
    result = pull("--out", "checkpoint", "--json", *options)
    assert (result.code, failure(result)["code"], stub.log) == (2, "INVALID_ARGUMENT", [])


def test_an_empty_directory_s_name_is_not_the_current_directory(stub, pull, tmp_path):
    result = pull("--out", "", "--json")
    assert (result.code, stub.log, list(tmp_path.iterdir())) == (2, [], [])
    assert failure(result)["message"] == "argument --out: Expected a directory but received ''"


@pytest.mark.parametrize("name", [None, 5, ["a"], {"a": "b"}, True])
def test_names_in_a_list_that_are_no_texts(stub, pull, name):
    stub.names = [name]
    result = pull("--out", "checkpoint", "--json")
    assert (result.code, failure(result)["code"]) == (1, "MODEL_NOT_FOUND")
    assert "received another" in result.stdout


def test_an_index_that_would_fill_the_disk(stub, pull):
    files = stub.repositories[DECODER].files
    del files["text_encoder/model.safetensors"]
    path = "text_encoder/model.safetensors.index.json"
    files[path] = b" " * 20_000
    stub.sizes[path] = (16 << 20) + 1
    result = pull("--out", "checkpoint", "--json")
    assert (result.code, failure(result)["code"], failure(result)["subject"]) == (1, "MODEL_INVALID", path)
    assert stub.sent(path) == 0


def test_paths_in_a_list_cannot_lead_out_of_the_cache(stub, pull, tmp_path):
    """Only names that the exporter reads are taken from a list, and indices name files beside them."""
    files = stub.repositories[DECODER].files
    del files["text_encoder/model.safetensors"]
    files["text_encoder/model.safetensors.index.json"] = b'{"weight_map": {"a": "../../../../escaped.safetensors"}}'
    files["../escaped.json"] = b"{}"
    assert pull("--out", "checkpoint", "--json").code == 1
    assert list(tmp_path.rglob("escaped*")) == []


# What is shown


@pytest.mark.parametrize(
    "card, license",
    [
        ("license: apache-2.0", "apache-2.0"),
        ("license:\n- mit\n- other", "mit"),
        ("license: other\nlicense_name: my-terms", "my-terms"),
        ('license: "\\e[31mred"', "unspecified"),
        ("license: {a: b}", "unspecified"),
        ("license: [", "unspecified"),
        ("prior: 3", "unspecified"),
        (f"license: {'x' * 300}", "x" * 100),
    ],
)
def test_cards_of_others(tmp_path, card, license):
    from wuerstchen_export.hub.card import Card, read_card

    file = tmp_path / "README.md"
    file.write_text(f"---\n{card}\n---\ntext\n")
    assert read_card(file) == Card(license, None)


def test_a_card_with_windows_line_ends_and_a_byte_order_mark(tmp_path):
    from wuerstchen_export.hub.card import Card, read_card

    file = tmp_path / "README.md"
    file.write_bytes(b"\xef\xbb\xbf---\r\nlicense: mit\r\nprior:\r\n- a/b\r\n---\r\ntext\r\n")
    assert read_card(file) == Card("mit", "a/b")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict"])
@pytest.mark.parametrize("name", ["g\u00e2teau", "caf\udce9"])
def test_json_is_ascii_whatever_the_terminal_and_the_path(pull, tmp_path, encoding, name):
    result = pull("--out", name, "--json", PYTHONIOENCODING=encoding)
    assert (result.code, result.stderr, result.stdout.isascii()) == (0, "", True)
    assert json.loads(result.stdout)["out"] == name
    assert (tmp_path / name).is_dir()


def test_a_server_cannot_write_to_the_terminal(stub, pull):
    stub.repositories[DECODER].commit = "\x1b[31m" * 5
    result = pull("--out", "checkpoint", "--revision", "main")
    assert result.code == 1
    assert "\x1b" not in result.stderr


def test_a_bar_of_bytes_on_a_terminal(monkeypatch):
    from wuerstchen_export.hub import progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "EVERY", 0)
    now = iter(range(100))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    bar = progress.Progress(True)
    bar.start(4_000_000_000)  # at 1 s
    bar.had(1_000_000_000)
    bar.step(1_000_000_000, "somebody/model prior")
    assert terminal.getvalue() == (
        "\r\x1b[2K[============            ] 2.0 GB of 4.0 GB, 1.0 GB/s, 3 s left  somebody/model prior"
    )
    bar.clear()
    assert terminal.getvalue().endswith("\r\x1b[2K")
    assert progress.Progress(False).shown is False


def test_quiet(pull):
    result = pull("--out", "checkpoint", "--quiet")
    assert (result.code, result.stdout, result.stderr) == (0, "checkpoint\n", "")
