"""Times, memory and shares as a person reads them; the same in both languages."""

from __future__ import annotations

_MS_PER_S = 1000
_S_PER_MINUTE = 60
_MINUTES_PER_HOUR = 60
_MB_PER_GB = 1000
#: Half a percent: rounding would hide that it is there.
_SHOWN_AS_NONE = 0.005


def clock(ms: float) -> str:
    """A moment in a recording: 61_250 -> ``1:01.2``, 3_661_000 -> ``1:01:01.0``."""
    tenths = int(ms // 100)
    seconds, tenth = divmod(tenths, 10)
    minutes, second = divmod(seconds, _S_PER_MINUTE)
    hours, minute = divmod(minutes, _MINUTES_PER_HOUR)
    return f"{hours}:{minute:02d}:{second:02d}.{tenth}" if hours else f"{minute}:{second:02d}.{tenth}"


def seconds(value_s: float) -> str:
    """A span of time with a fitting unit: 0.0123 -> ``12 ms``, 3.21 -> ``3.2 s``, 75 -> ``1 min 15 s``."""
    if value_s < 1:
        return f"{value_s * _MS_PER_S:.0f} ms"
    if value_s < _S_PER_MINUTE:
        return f"{value_s:.1f} s"
    minutes, rest = divmod(round(value_s), _S_PER_MINUTE)
    hours, minute = divmod(minutes, _MINUTES_PER_HOUR)
    return f"{hours} h {minute} min" if hours else f"{minute} min {rest} s"


def megabytes(value_mb: float) -> str:
    """Memory: 5.31 -> ``5.3 MB``, 212.4 -> ``212 MB``, 2048 -> ``2.0 GB``; MB are 10⁶ bytes and GB 10⁹, here as everywhere."""
    if round(value_mb) >= _MB_PER_GB:
        return f"{value_mb / _MB_PER_GB:.1f} GB"
    return f"{value_mb:.1f} MB" if 0 < value_mb < 10 else f"{value_mb:.0f} MB"  # noqa: PLR2004 - one digit behind the point for one before it


def percent(share: float) -> str:
    """A share in [0, 1]: 0.973 -> ``97 %``; what is not quite all is never shown as 100 %, nor a little as nothing."""
    if 0 < share < _SHOWN_AS_NONE:
        return "<1 %"
    return f"{min(share * 100, 99.9):.1f} %" if 1 - _SHOWN_AS_NONE <= share < 1 else f"{share * 100:.0f} %"


def signed_percent(share: float) -> str:
    """A difference of probabilities: 0.51 -> ``+51 %``, -0.02 -> ``−2 %`` (a banned tag would have won)."""
    return f"−{percent(-share)}" if share < 0 else f"+{percent(share)}"


def rtf(value: float) -> str:
    """A real-time factor with two or three meaningful digits: 0.01234 -> ``0.0123``."""
    return f"{value:.3g}"
