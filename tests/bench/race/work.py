"""What both sides of the race are given to do, in Python and numpy."""

from __future__ import annotations

import time
from typing import Any

import numpy

RADIUS = 2  # Of the box filter.


def noop(_: Any) -> None:
    return None


def noops(count: int) -> int:
    for i in range(count):
        noop(i)
    return count


def sum_of_squares(n: int) -> int:
    return sum(i * i for i in range(n))


def sums_of_squares(numbers: list[int]) -> list[int]:
    return [sum_of_squares(n) for n in numbers]


def spin(seconds: float) -> None:
    """By the clock on the wall: a worker that waits for its core loses nothing, which flatters."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def picture(side: int) -> Any:
    """Height x width x 3, uint8: slopes and rings, the same each time."""
    y, x = numpy.mgrid[0:side, 0:side].astype(numpy.uint32)
    return numpy.stack([x * 255 // side, (x * x + y * y) // side % 256, y * 255 // side], axis=2).astype(numpy.uint8)


def padded(image: Any) -> Any:
    return numpy.pad(image, ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)), mode="edge")


def box(tile: Any) -> Any:
    """The mean over a square, of a tile with its halo, rounded; the halo is gone."""
    side = 2 * RADIUS + 1
    sums = numpy.cumsum(tile, axis=0, dtype=numpy.uint32)
    rows = sums[side - 1 :].copy()
    rows[1:] -= sums[:-side]
    sums = numpy.cumsum(rows, axis=1, dtype=numpy.uint32)
    both = sums[:, side - 1 :].copy()
    both[:, 1:] -= sums[:, :-side]
    return ((both + side * side // 2) // (side * side)).astype(numpy.uint8)


def hits(seed: int, samples: int) -> int:
    points = numpy.random.default_rng(seed).random((samples, 2))
    return int((points * points).sum(axis=1).__lt__(1.0).sum())
