"""The peer of serve-compare.mjs: a FastAPI server for the same weights on diffusers 0.42.1, as one writes it in Python.

    PYTHONPATH=scripts python bench/serve_peer.py CHECKPOINT --threads 2 [--batch 4]

One model in one process. Requests wait in FastAPI's thread pool for a lock around the model, for neither the pipelines nor their
schedulers can be used by two threads; PNGs are written outside of it, so that the next request runs meanwhile. With --batch,
requests that wait and agree in prompt, size and steps run as one call of up to that many pictures, which is all that the
reference's decoder can put into a batch. Needs fastapi and uvicorn (scripts/requirements-peer.txt) beside the torch and
diffusers of .venv.
"""

import argparse
import base64
import io
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from checks.parity.reference import Reference


class Generation(BaseModel):
    prompt: str
    size: str = "128x128"
    seed: int = 0
    prior_steps: int = 30
    decoder_steps: int = 12

    def key(self) -> tuple:
        return self.prompt, self.size, self.prior_steps, self.decoder_steps


class Model:
    def __init__(self, checkpoint: Path, batch: int):
        self.reference = Reference(checkpoint)
        self.batch = batch
        self.waiting: deque[tuple[Generation, Future]] = deque()
        self.lock = threading.Lock()

    def generate(self, request: Generation):
        """The picture, once this thread, or another that took it along, has made it."""
        future: Future = Future()
        self.waiting.append((request, future))
        with self.lock:
            while not future.done():  # the oldest may be another's
                self.run_oldest()
        return future.result()

    def run_oldest(self) -> None:
        first, _ = self.waiting[0]
        taken = [each for each in list(self.waiting) if each[0].key() == first.key()][: self.batch]
        for each in taken:
            self.waiting.remove(each)
        try:
            for (_, future), image in zip(taken, self.pictures([request for request, _ in taken]), strict=True):
                future.set_result(image)
        except Exception as error:
            for _, future in taken:
                future.set_exception(error)

    def pictures(self, requests: list[Generation]) -> list:
        first = requests[0]
        width, height = map(int, first.size.split("x"))
        generators = [torch.Generator("cpu").manual_seed(request.seed) for request in requests]
        with torch.inference_mode():
            embeddings = self.reference.prior(
                first.prompt,
                height=height,
                width=width,
                num_inference_steps=first.prior_steps,
                timesteps=None,
                guidance_scale=4.0,
                num_images_per_prompt=len(requests),
                generator=generators,
            ).image_embeddings
            return self.reference.decoder(
                embeddings,
                first.prompt,
                num_inference_steps=first.decoder_steps,
                guidance_scale=0.0,
                generator=generators,
            ).images


def application(model: Model) -> FastAPI:
    app = FastAPI()

    # Not async: FastAPI then runs it in its thread pool, and the event loop stays free.
    @app.post("/v1/images/generations")
    def generations(request: Generation) -> dict:
        image = model.generate(request)
        file = io.BytesIO()
        image.save(file, "PNG")
        return {"created": int(time.time()), "data": [{"b64_json": base64.b64encode(file.getvalue()).decode()}]}

    @app.get("/readyz")
    def ready() -> dict:
        return {"status": "ready"}

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1, help="pictures of equal requests in one call (default: 1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    model = Model(options.checkpoint, options.batch)
    model.generate(Generation(prompt="warm up", prior_steps=2, decoder_steps=1))
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(application(model), log_level="warning", access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    main()
