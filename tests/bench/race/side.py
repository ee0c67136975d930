"""One runner of the race: takes a task a line on standard input, does it, and tells what it measured."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Callable, Dict


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    value = do()
    return time.perf_counter() - start, value


def serve(tasks: Dict[str, Callable[..., Dict[str, Any]]]) -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(tasks[asked.pop("do")](**asked)), flush=True)


def percentiles(seconds: list[float]) -> Dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": 1e3 * ordered[len(ordered) // 2], "p99": 1e3 * ordered[len(ordered) * 99 // 100]}
