"""The race: each runner starts afresh in each round, measures, and ends; nobody runs beside another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import report

here = Path(__file__).resolve().parent
tessera = str(here.parents[2] / "build/release/tessera")
debian_python = "/usr/bin/python3"
idle_s = 20
spin_steps_ms = 500_000  # Of the kernel spin: about a millisecond.
# Of a microtask in ms: steps of Tessera's, tasks of Dask's (fewer: it would take minutes).
sizes: Dict[float, Tuple[int, int]] = {0.1: (200_000, 3_000), 1: (20_000, 3_000), 10: (2_000, 1_000), 100: (200, 200)}


class Processes:
    """All that a runner started; ended by their ids."""

    def __init__(self) -> None:
        self.all: List[subprocess.Popen[Any]] = []

    def start(self, *command: str, **more: Any) -> subprocess.Popen[Any]:
        more = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more}
        self.all.append(subprocess.Popen(command, start_new_session=True, **more))
        return self.all[-1]

    def end(self) -> None:
        for process in reversed(self.all):
            process.terminate()
        for process in self.all:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def idle_cost(pids: List[int]) -> Dict[str, float]:
    """PSS in all, and CPU time over some seconds without work."""

    def ticks() -> int:
        return sum(sum(map(int, Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) for p in pids)

    before = ticks()
    time.sleep(idle_s)
    spent = (ticks() - before) / os.sysconf("SC_CLK_TCK")
    smaps = "".join(Path(f"/proc/{p}/smaps_rollup").read_text() for p in pids)
    kib = sum(int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Pss:"))
    return {"pss_mib": kib / 1024, "cpu_percent": 100 * spent / idle_s}


class Runner:
    def __init__(self, processes: Processes, *command: str) -> None:
        self.process = processes.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, text=True)
        self._answer()

    def _answer(self) -> Dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a runner of the race ended")
        return json.loads(line)

    def do(self, what: str, **how: Any) -> Dict[str, Any]:
        self.process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self.process.stdin.flush()
        return self._answer()


def until_answers(folder: str) -> None:
    while subprocess.run([tessera, "status", "--data", folder], capture_output=True).returncode:
        time.sleep(0.01)


def run_tessera(note: Any) -> None:
    processes = Processes()
    with tempfile.TemporaryDirectory() as work:

        def node(name: str, host: str, *options: str) -> str:
            folder = f"{work}/{name}"
            processes.start(tessera, "start", "--data", folder, "--name", name, "--listen", f"{host}:0", *options)
            until_answers(folder)
            return folder

        def invite(folder: str) -> str:
            return subprocess.run([tessera, "invite", "--data", folder], capture_output=True, text=True).stdout.strip()

        try:
            start = time.perf_counter()
            a = node("a", "127.0.0.1", "--slots", "1")
            note("ready_s", time.perf_counter() - start)
            node("b", "127.0.0.2", "--slots", "1", "--join", invite(a))
            time.sleep(2)
            cost = idle_cost([p for process in processes.all for p in family(process.pid)])
            note("pss_mib", cost["pss_mib"])
            note("idle_cpu_percent", cost["cpu_percent"])
            lone = [node("c", "127.0.0.3", "--slots", "1"), node("d", "127.0.0.4", "--slots", "1")]
            runner = Runner(processes, sys.executable, str(here / "tessera_side.py"), a, *lone)
            runner.do("single", tasks=1000)
            note("empty", runner.do("empty", tasks=20_000_000)["per_second"])
            note("single", runner.do("single", tasks=200_000)["per_second"])
            small = runner.do("founding", side=1000, tiles=100)
            big = runner.do("founding", side=8000, tiles=100)
            for side, took in (("1000", small), ("8000", big)):
                note(f"founding_{side}", took["seconds"])
                note(f"founding_{side}_square", took["square"])
            note("one_thread_8000", big["one_thread"])
            for part, seconds in big["parts"].items():
                note(f"founding_8000_{part}", seconds)
            note("pi", runner.do("pi", samples=10**9)["seconds"])
            for ms, (items, _) in sizes.items():
                steps = int(spin_steps_ms * ms)
                ideal = runner.do("ideal", steps=steps, items=items)["seconds"]
                note(f"efficiency_{ms}", ideal / runner.do("shared", steps=steps, items=items)["seconds"])
            # A submitter without slots: another node runs the job.
            s = node("s", "127.0.0.5", "--slots", "0", "--join", invite(a))
            time.sleep(2)
            far = Runner(processes, sys.executable, str(here / "tessera_side.py"), s)
            for name in ("latency", "warm_latency"):
                took = far.do(name, jobs=300)
                for what, ms in took.items():
                    note(f"{name}_{what}", ms)
        finally:
            processes.end()


def run_dask(python: str, note: Any) -> None:
    processes = Processes()
    with tempfile.TemporaryDirectory() as work:
        try:
            start = time.perf_counter()
            port = 8800 + os.getpid() % 100
            address = f"tcp://127.0.0.1:{port}"
            processes.start(python, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
                            "--no-dashboard", cwd=work)
            for _ in range(2):
                processes.start(python, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1",
                                "--no-dashboard", "--host", "127.0.0.1", cwd=work)
            runner = Runner(processes, python, str(here / "dask_side.py"), address)
            note("ready_s", time.perf_counter() - start)
            time.sleep(2)
            cluster = [p for process in processes.all[:-1] for p in family(process.pid)]
            cost = idle_cost(cluster)
            note("pss_mib", cost["pss_mib"])
            note("idle_cpu_percent", cost["cpu_percent"])
            runner.do("single", tasks=1000, batch=1)
            note("empty", runner.do("empty", tasks=5_000)["per_second"])
            note("empty_blocks", runner.do("empty_blocks", tasks=20_000_000, blocks=200)["per_second"])
            note("single", runner.do("single", tasks=5_000, batch=1)["per_second"])
            note("single_batched", runner.do("single", tasks=100_000, batch=100)["per_second"])
            note("founding_1000", runner.do("founding", side=1000, tiles=100)["seconds"])
            note("founding_8000", runner.do("founding", side=8000, tiles=100)["seconds"])
            note("pi", runner.do("pi", samples=10**9)["seconds"])
            for ms, (_, tasks) in sizes.items():
                note(f"efficiency_{ms}", runner.do("efficiency", task_s=ms / 1e3, tasks=tasks)["efficiency"])
            took = runner.do("latency", jobs=300)
            note("latency_p50", took["p50"])
            note("latency_p99", took["p99"])
        finally:
            processes.end()


def main() -> None:
    rounds = int(sys.argv[1])
    versions = [subprocess.run([p, "-c", "import distributed; print(distributed.__version__)"], capture_output=True,
                               text=True).stdout.strip() for p in (sys.executable, debian_python)]
    runners = {
        "tessera": run_tessera,
        f"dask {versions[0]}": lambda note: run_dask(sys.executable, note),
        f"dask {versions[1]}": lambda note: run_dask(debian_python, note),
    }
    figures: Dict[str, Dict[str, List[float]]] = {name: defaultdict(list) for name in runners}
    for number in range(rounds):
        for name, run in runners.items():
            print(f"round {number + 1} of {rounds}: {name}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
            run(lambda what, value, to=figures[name]: to[what].append(value))
    report.write(here.parent, figures, rounds)


main()
