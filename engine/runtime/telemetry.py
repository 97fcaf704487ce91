"""What the libraries report to their makers, and the environment variables that stop it.

ONNX Runtime 1.31 on Linux writes an id of the machine when it is imported and sends reports from the 17th second on, unless its
variable is set *before* the import; ``disable_telemetry_events`` does not stop it (docs/trust.md). So the variables are set when
``engine`` is imported, which every importer of ONNX Runtime in this repository does first; child processes inherit them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import MappingProxyType

#: Variable -> the value that stops a library's reports. Any other value (ONNX Runtime reports with ``0``) is replaced.
SILENCE: Mapping[str, str] = MappingProxyType(
    {
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime
        "GRADIO_ANALYTICS_ENABLED": "False",  # Gradio: version check, launches, errors
        "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, which gradio and gradio_client report through as well
        "NNCF_CI": "1",  # NNCF; see leave_out_openvino_telemetry as well
        "RAY_USAGE_STATS_ENABLED": "0",  # Ray: usage statistics
        "DO_NOT_TRACK": "1",  # a convention among tools
    }
)


def silence_libraries() -> bool:
    """Set the variables; False where ONNX Runtime was imported before without its own, which nothing can take back any more."""
    in_time = "onnxruntime" not in sys.modules or os.environ.get("ORT_DISABLE_TELEMETRY") == SILENCE["ORT_DISABLE_TELEMETRY"]
    os.environ.update(SILENCE)
    return in_time


def leave_out_openvino_telemetry() -> None:
    """Let NNCF and OpenVINO find no module to report with; call it before they are imported.

    With ``NNCF_CI`` alone NNCF sends nothing, but writes an id of the person into ``~/intel`` when it is imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None there makes an import fail, which typeshed leaves out
