"""Tessera's runner: a client of the node in the folder that is given first; of two nodes in the others, which know
nothing of each other, the work is what both do on their own: the ideal."""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import Future, wait
from time import perf_counter
from pathlib import Path
from typing import Any, Dict

import numpy
import work
from side import percentiles, serve, timed

root = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(root / "examples/python"))
from tessera import Mesh  # noqa: E402

mesh = Mesh(sys.argv[1])
alone = [Mesh(folder) for folder in sys.argv[2:]]


def empty(tasks: int) -> Dict[str, Any]:
    seconds, _ = timed(lambda: mesh.submit("spin", work=0, items=tasks, leaf=1).result())
    return {"per_second": tasks / seconds}


def single(tasks: int) -> Dict[str, Any]:
    numbers = [i % 50 + 1 for i in range(tasks)]
    seconds, values = timed(lambda: mesh.map("sumsq", numbers))
    assert values == [work.sum_of_squares(n) for n in numbers]
    return {"per_second": tasks / seconds}


def ideal(steps: int, items: int) -> Dict[str, Any]:
    """Both nodes, each half of it in one leaf."""
    half = items // 2
    jobs = [node.submit("spin", work=steps, items=half, leaf=half) for node in alone]
    wait(jobs)
    return {"seconds": 2 / sum(1e3 / job.status()["elapsed_ms"] for job in jobs)}


def shared(steps: int, items: int) -> Dict[str, Any]:
    seconds, _ = timed(lambda: mesh.submit("spin", work=steps, items=items, leaf=1).result())
    return {"seconds": seconds}


def latency(jobs: int) -> Dict[str, Any]:
    took = [timed(lambda: mesh.submit("sumsq", items=10, leaf=10).result())[0] for _ in range(jobs)]
    return percentiles(took)


def warm_latency(jobs: int) -> Dict[str, Any]:
    """By a client in C++ that keeps its connection, as goal 4 has it."""
    said = subprocess.run([str(root / "build/release/tests/latency_bench"), sys.argv[1], str(jobs)],
                          capture_output=True, text=True, check=True).stdout.split()
    return {name: float(said[said.index(name) + 1]) for name in ("p50", "p99", "accepted", "done", "fetched")}


def founding(side: int, tiles: int) -> Dict[str, Any]:
    """The faster of two ways to cut it: square tiles, or as many bands."""
    image = work.picture(side)
    one_thread, expected = timed(lambda: work.box(work.padded(image)))
    took, parts = {}, {}
    for shape in ("square", "band"):

        def tessera() -> Any:
            start = perf_counter()
            head = b"P6 # %s\n%d %d 255\n" % (shape.encode(), side, side)  # No blob that the node has already.
            ppm = b"".join((head, image.data))
            job = mesh.submit("tiles", input=ppm, op="box", radius=work.RADIUS, tiles=tiles, shape=shape, format="ppm")
            handed_in = perf_counter()
            Future.result(job)
            done = perf_counter()
            out = job.result()
            parts[shape] = {"handed_in": handed_in - start, "run": done - handed_in, "fetched": perf_counter() - done}
            return numpy.frombuffer(out, numpy.uint8, offset=len(out) - image.size).reshape(image.shape)

        took[shape], value = timed(tessera)
        assert int(abs(value.astype(int) - expected).max()) <= 1
    return {"seconds": min(took.values()), **took, "one_thread": one_thread, "parts": parts[min(took, key=took.get)]}


def pi(samples: int) -> Dict[str, Any]:
    seconds, value = timed(lambda: mesh.submit("pi", items=samples).result())
    assert abs(value["pi"] - math.pi) < 10 / math.sqrt(samples)
    return {"seconds": seconds}


serve({f.__name__: f for f in (empty, single, ideal, shared, latency, warm_latency, founding, pi)})
