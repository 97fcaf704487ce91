"""Lengths → batches for a GPU: neighbours in length share one, so that little of it is padding.

A CPU has none of this: four segments at once cost it 3.2 times one, and dynamic INT8 would share one scale among them.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Frames of a batch, padding included: sixteen segments of half a minute. Its largest tensors then take about a gigabyte.
MOST_FRAMES = 8_000
#: A shorter segment than this share of the batch's longest begins a batch of its own.
LEAST_SHARE = 0.6


def batches_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Places of ``lengths`` (frames) grouped into batches, the longest first; each place stands in one of them."""
    batches: list[list[int]] = []
    longest = 0
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        fits = batches and (len(batches[-1]) + 1) * longest <= MOST_FRAMES and lengths[place] >= LEAST_SHARE * longest
        if fits:
            batches[-1].append(place)
        else:
            batches.append([place])
            longest = lengths[place]
    return batches
