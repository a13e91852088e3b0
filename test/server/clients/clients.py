"""Calls of clients in Python against a server that draws nothing. Prints what became of each as JSON: "ok", or the error."""

import base64
import io
import json
import sys
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

import openai
import webuiapi
from langchain_community.utilities.dalle_image_generator import DallEAPIWrapper
from PIL import Image

url, key, heart = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
with open(heart, "rb") as drawn:
    PICTURE = drawn.read()
DRAWN = base64.b64encode(PICTURE).decode()


def fetched(address: str | None) -> bytes:
    assert address is not None
    with urllib.request.urlopen(address) as reply:
        return reply.read()


def openai_generate() -> None:
    reply = client.images.generate(
        model="gpt-image-1",
        prompt="a cat",
        n=2,
        size="1536x1024",
        quality="high",
        moderation="low",
        user="me",
        background="opaque",
        output_format="webp",
        output_compression=80,
    )
    assert reply.data[0].b64_json == DRAWN
    assert reply.usage.total_tokens == 0


def openai_url() -> None:
    reply = client.images.generate(
        model="dall-e-3", prompt="a cat", size="1792x1024", quality="hd", style="vivid", response_format="url"
    )
    assert fetched(reply.data[0].url) == PICTURE


def openai_stream() -> None:
    events = list(client.images.generate(model="gpt-image-1", prompt="a cat", stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_generation.completed"]
    assert events[0].usage.input_tokens_details.image_tokens == 0


def openai_edit() -> None:
    with open(heart, "rb") as image, open(heart, "rb") as mask:
        reply = client.images.edit(model="gpt-image-1", image=[image], mask=mask, prompt="a dog", input_fidelity="high")
    assert reply.data[0].b64_json == DRAWN


def openai_variation() -> None:
    with open(heart, "rb") as image:
        reply = client.images.create_variation(image=image, model="dall-e-2", n=1)
    assert fetched(reply.data[0].url) == PICTURE


def openai_models() -> None:
    assert [model.id for model in client.models.list()][0] == "tiny"
    assert client.models.retrieve("gpt-image-1").id == "gpt-image-1"
    try:
        client.models.retrieve("gpt-image-9")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"
    else:
        raise AssertionError("it was found")


def openai_delete() -> None:
    job = client.post("/jobs", body={"endpoint": "/v1/images/generations", "body": {"prompt": "x"}}, cast_to=object)
    assert client.delete(f"/jobs/{job['id']}", cast_to=object)["id"] == job["id"]


def langchain_wrapper() -> None:
    address = DallEAPIWrapper(api_key=key, base_url=f"{url}/v1", quality="standard").run("a cat")
    assert fetched(address) == PICTURE


place = urlsplit(url)
webui = webuiapi.WebUIApi(host=place.hostname, port=place.port, sampler="DDPM Wuerstchen", steps=20)
webui.set_auth("anybody", key)


def pictures(reply: webuiapi.webuiapi.WebUIApiResult) -> None:
    assert reply.info["seed"] == 100
    assert "Seed: 100" in reply.info["infotexts"][0]


def webuiapi_txt2img() -> None:
    pictures(webui.txt2img(prompt="a cat", negative_prompt="blue", batch_size=2, width=512, height=768, cfg_scale=4.5))


def webuiapi_img2img() -> None:
    image = Image.open(heart)
    mask = Image.new("L", image.size, 255)
    pictures(webui.img2img(images=[image], mask_image=mask, prompt="a dog", inpainting_fill=1, inpaint_full_res=False))


def webuiapi_options() -> None:
    options = webui.get_options()
    webui.set_options({**options, "sd_model_checkpoint": "gpt-image-1"})
    assert webui.get_options()["sd_model_checkpoint"] == "gpt-image-1"
    assert webui.util_get_model_names()[0] == "dall-e-2"
    assert [sampler["name"] for sampler in webui.get_samplers()] == ["DDPM Wuerstchen", "DDIM", "DPM++ 2M"]
    for each in (webui.get_upscalers, webui.get_sd_vae, webui.get_embeddings, webui.get_cmd_flags, webui.get_memory):
        each()


def webuiapi_progress() -> None:
    assert webui.get_progress()["state"]["job_count"] == 0
    webui.interrupt()


CALLS: dict[str, Callable[[], None]] = {
    "openai generate": openai_generate,
    "openai url": openai_url,
    "openai stream": openai_stream,
    "openai edit": openai_edit,
    "openai variation": openai_variation,
    "openai models": openai_models,
    "openai delete": openai_delete,
    "langchain wrapper": langchain_wrapper,
    "webuiapi txt2img": webuiapi_txt2img,
    "webuiapi img2img": webuiapi_img2img,
    "webuiapi options": webuiapi_options,
    "webuiapi progress": webuiapi_progress,
}


def outcome(call: Callable[[], None]) -> str:
    try:
        call()
    except Exception as error:
        return repr(error)
    return "ok"


# What clients print is not the result.
printed, sys.stdout = sys.stdout, io.StringIO()
outcomes = {name: outcome(call) for name, call in CALLS.items()}
print(json.dumps(outcomes), file=printed)
