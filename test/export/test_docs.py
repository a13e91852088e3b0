"""docs/from-diffusers.md against diffusers itself: names of arguments, and their defaults."""

import inspect
import re
from pathlib import Path

from diffusers.pipelines.deprecated.wuerstchen import WuerstchenPriorPipeline
from diffusers.pipelines.deprecated.wuerstchen.pipeline_wuerstchen_combined import WuerstchenCombinedPipeline

PAGE = (Path(__file__).parents[2] / "docs" / "from-diffusers.md").read_text()
# What has no counterpart in JavaScript, or only says which tensors a callback gets.
UNNAMED = {"self", "kwargs", "return_dict", "callback_on_step_end_tensor_inputs", "prior_callback_on_step_end_tensor_inputs"}


def named(rows: str) -> dict[str, str | None]:
    """The arguments in the first column of a table, and the defaults that they are said to have."""
    cells = [row.split("|")[1] for row in rows.strip().splitlines()[2:]]
    found = [re.match(r"(\w+)(?:=(.*))?$", code) for cell in cells for code in re.findall(r"`([^`]*)`", cell)]
    return {match[1]: match[2] for match in found if match}


def defaults(call: object) -> dict[str, str]:
    parameters = inspect.signature(call).parameters.values()  # type: ignore[arg-type]
    return {parameter.name: repr(parameter.default) for parameter in parameters if parameter.name not in UNNAMED}


def test_every_argument_of_the_combined_pipeline_has_a_row_with_its_default() -> None:
    table = re.search(r"^\| `WuerstchenCombinedPipeline`(?:.*\n)(?:\|.*\n)+", PAGE, re.M)
    assert table
    rows = named(table[0])
    real = defaults(WuerstchenCombinedPipeline.__call__)
    assert set(rows) == set(real)
    assert {name: value for name, value in rows.items() if value} == {name: real[name] for name, value in rows.items() if value}


def test_the_defaults_of_the_prior_pipeline_are_those_that_the_page_states() -> None:
    call = re.search(r"`prior_pipe\((.*?)\)`", PAGE)
    assert call
    stated = dict(re.findall(r"(\w+)=([\d.]+)", call[1]))
    real = defaults(WuerstchenPriorPipeline.__call__)
    assert stated == {name: real[name] for name in stated}
    assert len(stated) == 4
