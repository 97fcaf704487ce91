"""The page's Blocks, in which an endpoint's arguments may be left out: without Gradio's own client a program must give all of them."""

from __future__ import annotations

import inspect
from typing import Any

import gradio as gr


class EndpointBlocks(gr.Blocks):
    """Blocks whose named endpoints take as many arguments as are given; the rest are the function's defaults.

    An endpoint can thereby get an option more without an error for programs that were written before.
    """

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Fill in what is missing, then check as Gradio does."""
        if isinstance(block_fn.api_name, str) and len(inputs) < len(block_fn.inputs):
            taken = [one for one in inspect.signature(block_fn.fn).parameters.values() if "Request" not in str(one.annotation)]
            missing = taken[len(inputs) :]
            if len(taken) == len(block_fn.inputs) and all(one.default is not one.empty for one in missing):
                inputs += [one.default for one in missing]
        super().validate_inputs(block_fn, inputs)
