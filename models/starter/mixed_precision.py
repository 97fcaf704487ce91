"""bfloat16 in the products of a training, where the hardware multiplies it."""

from __future__ import annotations

import torch

from engine.runtime.session import cpu_flags

#: x86's AVX-512 and AMX, and ARM's, as Linux names them.
_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 itself. A processor that imitates it takes a hundred times as long as for float32."""
    return device.type != "cpu" or bool(cpu_flags() & _CPU_FLAGS)


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 for matrix products within, or float32 for everything where the device is slow at bfloat16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device))
