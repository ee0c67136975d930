"""Dask's runner: a client of the scheduler at the address that is given."""

from __future__ import annotations

import math
import sys
from typing import Any, Dict

import dask.array
import numpy
import work
from distributed import Client
from side import percentiles, serve, timed

client = Client(sys.argv[1])
client.wait_for_workers(2)
client.upload_file(work.__file__)


def empty(tasks: int) -> Dict[str, Any]:
    seconds, _ = timed(lambda: client.gather(client.map(work.noop, range(tasks), pure=False)))
    return {"per_second": tasks / seconds}


def empty_blocks(tasks: int, blocks: int) -> Dict[str, Any]:
    sizes = [tasks // blocks] * blocks
    seconds, done = timed(lambda: client.gather(client.map(work.noops, sizes, pure=False)))
    return {"per_second": sum(done) / seconds}


def single(tasks: int, batch: int) -> Dict[str, Any]:
    numbers = [i % 50 + 1 for i in range(tasks)]
    if batch == 1:
        seconds, values = timed(lambda: client.gather(client.map(work.sum_of_squares, numbers, pure=False)))
    else:
        parts = [numbers[i : i + batch] for i in range(0, tasks, batch)]
        seconds, lists = timed(lambda: client.gather(client.map(work.sums_of_squares, parts, pure=False)))
        values = [value for part in lists for value in part]
    assert values == [work.sum_of_squares(n) for n in numbers]
    return {"per_second": tasks / seconds}


def efficiency(task_s: float, tasks: int) -> Dict[str, Any]:
    seconds, _ = timed(lambda: client.gather(client.map(work.spin, [task_s] * tasks, pure=False)))
    return {"efficiency": tasks * task_s / 2 / seconds}


def latency(jobs: int) -> Dict[str, Any]:
    return percentiles([timed(lambda: client.submit(work.noop, i, pure=False).result())[0] for i in range(jobs)])


def founding(side: int, tiles: int) -> Dict[str, Any]:
    """The faster of two ways to write it: a future for each tile, or an array with overlaps."""
    image = work.picture(side)
    grid = round(tiles**0.5)
    edges = [side * i // grid for i in range(grid + 1)]

    def futures() -> Any:
        wide = work.padded(image)
        halo = 2 * work.RADIUS
        parts = [
            wide[top : bottom + halo, left : right + halo]
            for top, bottom in zip(edges, edges[1:])
            for left, right in zip(edges, edges[1:])
        ]
        done = client.gather(client.map(work.box, parts, pure=False))
        return numpy.block([[[done[y * grid + x]] for x in range(grid)] for y in range(grid)])

    def overlaps() -> Any:
        chunks = (side // grid, side // grid, 3)
        array = dask.array.from_array(image, chunks=chunks)
        depth = {0: work.RADIUS, 1: work.RADIUS, 2: 0}
        return array.map_overlap(work.box, depth=depth, boundary="nearest", trim=False, dtype=numpy.uint8,
                                 chunks=chunks).compute()

    expected = work.box(work.padded(image))
    took = []
    for way in (futures, overlaps):
        seconds, value = timed(way)
        assert (value == expected).all()
        took.append(seconds)
    return {"seconds": min(took), "futures": took[0], "overlaps": took[1]}


def pi(samples: int) -> Dict[str, Any]:
    tasks = 200
    each = samples // tasks
    seconds, found = timed(lambda: sum(client.gather(client.map(work.hits, range(tasks), samples=each, pure=False))))
    assert abs(4 * found / samples - math.pi) < 10 / math.sqrt(samples)
    return {"seconds": seconds}


serve({f.__name__: f for f in (empty, empty_blocks, single, efficiency, latency, founding, pi)})
