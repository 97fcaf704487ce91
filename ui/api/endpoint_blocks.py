"""The page's Blocks, in which an endpoint's arguments may be left out, and whose open pages hold no connection.

Without Gradio's own client a program must otherwise give all arguments of an endpoint.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from gradio.data_classes import BlocksConfigDict


class EndpointBlocks(gr.Blocks):
    """Blocks whose named endpoints take as many arguments as are given; the rest are the function's defaults.

    An endpoint can thereby get an option more without an error for programs that were written before.
    """

    def get_config_file(self) -> BlocksConfigDict:
        """Gradio's, without the stream that tells it when a page is closed: browsers have six connections to one server.

        With that stream the seventh tab of a browser waits for ever. What a page keeps on the server goes when many others have come
        (``_SESSIONS_KEPT`` in ui/web_app.py).
        """
        config = super().get_config_file()
        config["connect_heartbeat"] = False
        return config

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Fill in what is missing, then check as Gradio does."""
        if isinstance(block_fn.api_name, str) and len(inputs) < len(block_fn.inputs):
            taken = [one for one in inspect.signature(block_fn.fn).parameters.values() if "Request" not in str(one.annotation)]
            missing = taken[len(inputs) :]
            if len(taken) == len(block_fn.inputs) and all(one.default is not one.empty for one in missing):
                inputs += [one.default for one in missing]
        super().validate_inputs(block_fn, inputs)
