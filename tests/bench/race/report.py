"""What the race measured, as a table and a plot: medians, the spread, and ratios of the same round."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from statistics import median
from typing import Dict, List, NamedTuple

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

Figures = Dict[str, Dict[str, List[float]]]


class Row(NamedTuple):
    goal: str
    what: str
    ours: str
    theirs: str
    unit: str
    more_is_better: bool


rows = [
    Row("1", "empty microtasks, one job", "empty", "empty", "/s", True),
    Row("1", "the same; Dask given blocks", "empty", "empty_blocks", "/s", True),
    Row("1b", "single tasks, mapped", "single", "single", "/s", True),
    Row("1b", "the same; Dask in batches of 100", "single", "single_batched", "/s", True),
    *(Row("2", f"efficiency at {ms} ms", f"efficiency_{ms}", f"efficiency_{ms}", "", True) for ms in (0.1, 1, 10, 100)),
    Row("4", "submit to result p50, warm connection", "warm_latency_p50", "latency_p50", "ms", False),
    Row("4", "submit to result p99, warm connection", "warm_latency_p99", "latency_p99", "ms", False),
    Row("4", "submit to result p50, Python client", "latency_p50", "latency_p50", "ms", False),
    Row("16", "idle memory (PSS) in all", "pss_mib", "pss_mib", "MiB", False),
    Row("16", "idle CPU, of a core", "idle_cpu_percent", "idle_cpu_percent", "%", False),
    Row("16", "start to ready", "ready_s", "ready_s", "s", False),
    Row("19", "1000 x 1000 in 100 tiles", "founding_1000", "founding_1000", "s", False),
    Row("19", "8000 x 8000 in 100 tiles", "founding_8000", "founding_8000", "s", False),
    Row("19", "pi with 1e9 samples", "pi", "pi", "s", False),
]


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def spread(values: List[float]) -> str:
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"


def ratios(row: Row, ours: List[float], theirs: List[float]) -> List[float]:
    """How many times better we are, round by round."""
    return [a / b if row.more_is_better else b / a for a, b in zip(ours, theirs) if a and b]


def table(figures: Figures) -> str:
    us, *others = figures
    lines = ["| goal | what | unit | Tessera | " + " | ".join(f"{o} | times" for o in others) + " |"]
    lines.append("|---|---|---|---|" + "---|---|" * len(others))
    for row in rows:
        ours = figures[us][row.ours]
        cells = [row.goal, row.what, row.unit, spread(ours)]
        for other in others:
            theirs = figures[other][row.theirs]
            times = ratios(row, ours, theirs)
            cells += [spread(theirs), spread(times) if times else "-"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(file: Path, figures: Figures) -> None:
    us, *others = figures
    figure, axes = pyplot.subplots(figsize=(9, 6.5), layout="constrained")
    height = 0.8 / len(others)
    for i, other in enumerate(others):
        for y, row in enumerate(rows):
            times = ratios(row, figures[us][row.ours], figures[other][row.theirs])
            if not times:
                continue
            middle = median(times)
            axes.barh(y + i * height, middle, height, color=f"C{i}", label=other if y == 0 else None,
                      xerr=[[middle - min(times)], [max(times) - middle]], error_kw={"lw": 0.8})
    axes.set_yticks([y + 0.4 - height / 2 for y in range(len(rows))], [f"{r.goal}  {r.what}" for r in rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", lw=0.8)
    axes.set_xlabel("times better than Dask: median of the rounds, lines from least to most")
    axes.legend()
    matplotlib.rcParams["svg.hashsalt"] = "tessera"
    figure.savefig(file, metadata={"Date": None})


def write(folder: Path, figures: Figures, rounds: int) -> None:
    us = next(iter(figures))
    native = figures[us]["one_thread_8000"]
    square = figures[us]["founding_8000_square"]

    def parts(of: str, *names: str) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {spread(figures[us][f'{of}_{name}'])}" for name in names)

    words = f"""# Tessera beside Dask

`tests/bench/peers {rounds}` on {datetime.date.today()}, {os.cpu_count()} cores; load at its end {os.getloadavg()[0]:.1f}.
Two nodes of one slot on loopback; a scheduler and two workers of one thread. Each starts afresh in each round, in turns.
Median (least-most) of {rounds} rounds; "times" is how many times better Tessera is, in the same round.

{table(figures)}
![times better than Dask](results.svg)

What is compared, said plainly:

- *Empty microtasks*: one job of 20,000,000 items in leaves of one, merged, beside 5,000 futures of a function that does
  nothing: a bound on overhead, not like for like. Given blocks, Dask runs 200 tasks of 100,000 calls each.
- *Single tasks*: each with a number of its own and a result of its own, collected in order by a Python client: 200,000
  by `Mesh.map`, 5,000 futures, or 100,000 in batches of 100.
- *Efficiency*: Tessera's ideal is what two nodes that know nothing of each other do of the same work, each half of it in one
  leaf, in the same round. Dask's tasks spin by the clock on the wall, which flatters: the ideal is their sum by two.
- *Submit to result*: 300 jobs one after the other; a submitter without slots, so that another node runs them; the journal
  on disk. "Warm connection" is a C++ client's; the medians of its parts, in ms:
  {parts("warm_latency", "accepted", "done", "fetched")}.
- *Idle*: {us}: both nodes with their zygotes and workers; Dask: scheduler, workers and their nannies, the client excluded.
- *Tiles*: a box filter of radius 2 over an array of the client's, result in the client's memory, checked against numpy, which
  takes {spread(native) if native else "-"} s on one thread at 8000 x 8000. Each side has the faster of two ways: Dask futures
  or `map_overlap`; Tessera 100 square tiles, {spread(square) if square else "-"} s at 8000 x 8000, or 100 bands
  (`shape=band`), whose results need no stitching. Where fetching the input would take a second node longer than the
  first one's work does, the first one does it alone. Parts of the faster way at 8000 x 8000, in s:
  {parts("founding_8000", "handed_in", "run", "fetched")}.
"""
    (folder / "RESULTS.md").write_text(words)
    plot(folder / "results.svg", figures)
    print(table(figures))
