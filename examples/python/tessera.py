"""Tessera from Python: submit jobs to a node on this machine, and take their results.

    from tessera import Mesh
    mesh = Mesh()                                     # the node that `tessera start` runs here
    print(mesh.submit("sumsq", items=10**9).result())
    print(mesh.map("sumsq", range(1, 6)))             # [0, 1, 5, 14, 30]

Needs Python 3.9 and nothing else; with numpy, pictures go in and come out as arrays. A job is a
`concurrent.futures.Future`: that module's `as_completed` and `wait` take it. The calls beneath are
those of node/http/API.md.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import struct
import threading
import time
import urllib.parse
import zlib
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

__all__ = ["Job", "Mesh", "TesseraError", "as_completed", "blob_id", "from_png", "to_png"]

# A file by its path, bytes, or a numpy array: a picture (uint8, height x width [x 1 or 3]) for
# native kernels, its own bytes in C order for modules.
Input = Union[bytes, bytearray, memoryview, str, "os.PathLike[str]", Any]
# A line of a map: a number of items, parameters by name, or the line itself.
Task = Union[int, Mapping[str, Any], str, bytes]

_ENDED = ("done", "failed", "cancelled")
_SINGLE_TASKS = "application/x-ndjson"


class TesseraError(Exception):
    """What a node, or a job, says went wrong: `code` never changes, `fix` says what to do."""

    def __init__(self, code: str, what: str, why: str = "", fix: str = "") -> None:
        super().__init__("\n".join(line for line in (f"{code} {what}", why, fix) if line))
        self.code, self.what, self.why, self.fix = code, what, why, fix

    @classmethod
    def of(cls, error: Mapping[str, Any]) -> TesseraError:
        """From a job's `error`, or from problem+json."""

        def said(*names: str) -> str:
            return str(next((error[name] for name in names if error.get(name)), ""))

        return cls(said("code") or "E399", said("what", "title"), said("why", "detail"), said("fix"))


def blob_id(data: bytes) -> str:
    """A blob's name in hex: the root of a binary BLAKE2b-256 tree over chunks of 64 KiB."""

    def digest(*parts: Union[bytes, memoryview]) -> bytes:
        state = hashlib.blake2b(digest_size=32)
        for part in parts:
            state.update(struct.pack("<Q", len(part)))
            state.update(part)
        return state.digest()

    size, chunk, all_of_it = len(data), 65536, memoryview(data)

    def chunks(first: int, end: int) -> List[bytes]:
        return [digest(b"tessera blob chunk", all_of_it[at : at + chunk]) for at in range(first, end, chunk)]

    threads = min(4, os.cpu_count() or 1)  # hashlib lets others run meanwhile.
    part = max(64, (size // chunk + threads) // threads) * chunk
    if size <= part:
        level = chunks(0, max(size, 1))
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = pool.map(lambda at: chunks(at, min(at + part, size)), range(0, size, part))
            level = [each for some in parts for each in some]
    while len(level) > 1:
        above = [digest(b"tessera blob node", *level[i : i + 2]) for i in range(0, len(level) - 1, 2)]
        level = above + level[len(level) - len(level) % 2 :]
    return digest(b"tessera blob", struct.pack("<Q", size), level[0]).hex()


class Job(Future):  # type: ignore[type-arg]
    """One job. `result()` is its value; `status()` is what the node says of it now."""

    def __init__(self, mesh: Mesh, told: Mapping[str, Any]) -> None:
        super().__init__()
        self._mesh = mesh
        self._told = dict(told)
        self._value: Tuple[Any, ...] = ()

    @property
    def id(self) -> str:
        return str(self._told["job"])

    def status(self, wait_s: float = 0) -> Dict[str, Any]:
        """The node's own words: state, microtasks, done, shares and the rest; after `wait_s`
        seconds, 60 at most, or at its end if that is sooner."""
        return self._mesh._json("GET", f"/v1/jobs/{self.id}?wait={wait_s}")

    def result(self, timeout: Optional[float] = None, *, array: bool = False) -> Any:
        """The value: a list of a map, a parsed JSON, a str of text, bytes of all else; with
        `array`, a picture as a numpy array. Raises what the job failed of, or TimeoutError."""
        super().result(timeout)
        if not self._value:
            self._value = (self._mesh._result(self.id),)
        value = self._value[0]
        return from_png(value) if array else value

    def save(self, file: Union[str, os.PathLike[str]], timeout: Optional[float] = None) -> None:
        """Its bytes, as they come, to a file that is there only when it is whole."""
        super().result(timeout)
        unfinished = Path(f"{os.fspath(file)}.part")
        with unfinished.open("wb") as out:
            for piece in self._mesh._pieces(f"/v1/jobs/{self.id}/result"):
                out.write(piece)
        unfinished.replace(Path(file))

    def cancel(self) -> bool:
        """Asks the mesh to stop it. False if it has ended already."""
        if self.done():
            return False
        self._told = self._mesh._json("POST", f"/v1/jobs/{self.id}/cancel")
        if self._told["state"] in ("done", "failed"):
            return False
        return self._cancelled()

    def _cancelled(self) -> bool:
        return super().cancel() and not self.set_running_or_notify_cancel()

    def _hear(self, told: Mapping[str, Any]) -> None:
        """The node's news of it. Heard by one thread."""
        self._told = dict(told)
        if self.done():
            return
        if told["state"] == "cancelled":
            self._cancelled()
        elif told["state"] == "failed":
            self.set_exception(TesseraError.of(told["error"]))
        elif told["state"] == "done":
            self.set_result(self._told)


class Mesh:
    """A running node, and the mesh behind it. Safe to use from several threads.

    Without arguments the node of this user is meant, `data` names one by its folder, `api` with
    `token_file` one that is reached through a tunnel; as for the command line, the environment
    (TESSERA_DATA, TESSERA_API, TESSERA_TOKEN_FILE) is looked at, too.
    """

    def __init__(
        self,
        data: Optional[Union[str, os.PathLike[str]]] = None,
        *,
        api: Optional[str] = None,
        token_file: Optional[Union[str, os.PathLike[str]]] = None,
    ) -> None:
        data = data or os.environ.get("TESSERA_DATA")
        api = api or os.environ.get("TESSERA_API")
        token_file = token_file or os.environ.get("TESSERA_TOKEN_FILE")
        folder = Path(data) if data else _runtime_folder()
        try:
            self._url = urllib.parse.urlsplit(api or (folder / "api").read_text().strip())
            self._token = Path(token_file or folder / "token").read_text().strip()
        except OSError as gone:
            raise TesseraError(
                "E301", "no node is running here", str(gone), "start one: tessera start"
            ) from gone
        self._lines = threading.local()
        self._watcher = _Watcher(self)

    # --- Jobs

    def submit(
        self,
        kernel: Optional[str] = None,
        *,
        items: Optional[int] = None,
        leaf: Union[int, str, None] = None,
        input: Optional[Input] = None,
        each: Optional[Iterable[Task]] = None,
        module: Optional[Input] = None,
        module_params: Optional[bytes] = None,
        rounds: Optional[int] = None,
        state: Optional[bytes] = None,
        tree: bool = False,
        budget: Optional[int] = None,
        idempotency_key: Optional[str] = None,
        **params: Any,
    ) -> Job:
        """A native kernel by its name, or a WebAssembly `module`. Keywords that are none of these
        are the kernel's own parameters, or the module's settings (memory, merge, record, ...)."""
        body: Dict[str, Any] = {"kernel": "wasm" if module is not None else kernel}
        body["params"] = {name: v if isinstance(v, str) else json.dumps(v) for name, v in params.items()}
        numbers = {"items": items, "leaf": leaf, "rounds": rounds, "budget": budget}
        body.update({name: value for name, value in numbers.items() if value is not None})
        if tree:
            body["tree"] = True
        blobs: Dict[str, Optional[bytes]] = {
            "input": None if input is None else _bytes_of(input, picture=module is None),
            "each": None if each is None else b"".join(map(_line_of, each)),
            "module": None if module is None else _bytes_of(module, picture=False),
            "module_params": module_params,
            "state": state,
        }
        body.update({name: self._put(blob) for name, blob in blobs.items() if blob is not None})
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        job = Job(self, self._json("POST", "/v1/jobs", json.dumps(body).encode(), headers))
        self._watcher.follow(job)
        return job

    def map(
        self,
        kernel: Optional[str],
        tasks: Iterable[Task],
        *,
        timeout: Optional[float] = None,
        errors: bool = False,
        **more: Any,
    ) -> List[Any]:
        """Runs the kernel, or `module=`, for each task; the results in the tasks' order. A task
        that failed raises its TesseraError; with `errors` it stands in the list instead."""
        results: List[Any] = self.submit(kernel, each=tasks, **more).result(timeout)
        failed = next((r for r in results if isinstance(r, TesseraError)), None)
        if failed is not None and not errors:
            raise failed
        return results

    def job(self, id: str) -> Job:
        """A job that somebody submitted, by a unique prefix of its id."""
        job = Job(self, self._json("GET", f"/v1/jobs/{id}"))
        self._watcher.follow(job)
        return job

    def jobs(self, mesh_wide: bool = False) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = self._json("GET", f"/v1/jobs?mesh={int(mesh_wide)}")["jobs"]
        return found

    def peers(self) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = self._json("GET", "/v1/peers")["peers"]
        return found

    def kernels(self) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = self._json("GET", "/v1/kernels")["kernels"]
        return found

    def status(self) -> Dict[str, Any]:
        return self._json("GET", "/v1/status")

    def events(self, topics: str = "jobs,peers,node", after: Optional[int] = None) -> Iterator[Tuple[int, str, Any]]:
        """What happens, as (id, kind, value), a "snapshot" first; `after` an id, from there on.
        Ends when the node does."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        line = self._connect(timeout=60.0)  # The node's heart beats each 10 s.
        try:
            answer = self._ask(line, "GET", f"/v1/events?topics={topics}", None, headers)
            yield from _frames(answer)
        finally:
            line.close()

    # --- The wire

    def _connect(self, timeout: Optional[float] = None) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._url.hostname or "127.0.0.1", self._url.port, timeout=timeout)

    def _ask(
        self,
        line: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Optional[bytes],
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        try:
            line.request(method, path, body, {"Authorization": f"Bearer {self._token}", **headers})
            answer = line.getresponse()
        except OSError as gone:
            raise TesseraError(
                "E301", "no node answers", str(gone), "is it still running? see: tessera status"
            ) from gone
        if answer.status >= 400:
            raise TesseraError.of(json.loads(answer.read() or b"{}"))
        return answer

    def _answer(
        self, method: str, path: str, body: Optional[bytes] = None, headers: Mapping[str, str] = {}
    ) -> Tuple[str, bytes]:
        """Over this thread's own connection, once more if the node has closed it meanwhile."""
        line = getattr(self._lines, "line", None)
        if line is None:
            line = self._lines.line = self._connect()
        try:
            answer = self._ask(line, method, path, body, headers)
            return answer.getheader("Content-Type", ""), answer.read()
        except (TesseraError, http.client.HTTPException) as why:
            kept = isinstance(why, TesseraError) and why.code != "E301"
            if kept:
                raise
            line.close()
        answer = self._ask(line, method, path, body, headers)
        return answer.getheader("Content-Type", ""), answer.read()

    def _json(
        self, method: str, path: str, body: Optional[bytes] = None, headers: Mapping[str, str] = {}
    ) -> Dict[str, Any]:
        parsed: Dict[str, Any] = json.loads(self._answer(method, path, body, headers)[1])
        return parsed

    def _put(self, data: bytes) -> str:
        name = blob_id(data)
        self._answer("PUT", f"/v1/blobs/{name}", data)
        return name

    def _pieces(self, path: str) -> Iterator[bytes]:
        line = self._connect()
        try:
            answer = self._ask(line, "GET", path, None, {})
            while piece := answer.read(1 << 20):
                yield piece
        finally:
            line.close()

    def _result(self, id: str) -> Any:
        kind, data = self._answer("GET", f"/v1/jobs/{id}/result")
        if kind.startswith(_SINGLE_TASKS):
            return [_task_value(json.loads(line)) for line in data.splitlines()]
        if kind.startswith("application/json"):
            return json.loads(data)
        return data.decode() if kind.startswith("text/") else data


class _Watcher:
    """One thread that follows a node's events for all jobs of a Mesh."""

    _ended_max = 4096  # Jobs that ended before somebody asked for them.
    _patience_s = 60.0  # Without an answer, until the jobs fail here.

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._lock = threading.Lock()
        self._jobs: Dict[str, Job] = {}
        self._ended: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._thread: Optional[threading.Thread] = None

    def follow(self, job: Job) -> None:
        with self._lock:
            told = self._ended.get(job.id, job._told)
            if told["state"] not in _ENDED:
                self._jobs[job.id] = job
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="tessera", daemon=True)
                    self._thread.start()
                return
        job._hear(told)

    def _run(self) -> None:
        lost_at: Optional[float] = None
        while True:
            try:
                for _, kind, value in self._mesh.events("jobs"):
                    lost_at = None
                    for told in value["jobs"] if kind == "snapshot" else [value] if kind == "job" else []:
                        self._hear(told)
            except (TesseraError, OSError, http.client.HTTPException):
                pass
            now = time.monotonic()
            lost_at = now if lost_at is None else lost_at
            if now - lost_at > self._patience_s:
                return self._give_up()
            time.sleep(0.2)

    def _hear(self, told: Mapping[str, Any]) -> None:
        if told["state"] not in _ENDED:
            return
        with self._lock:
            job = self._jobs.pop(told["job"], None)
            self._ended[told["job"]] = told
            while len(self._ended) > self._ended_max:
                self._ended.popitem(last=False)
        if job is not None:
            job._hear(told)

    def _give_up(self) -> None:
        with self._lock:
            jobs, self._jobs, self._thread = self._jobs, {}, None
        for job in jobs.values():
            job.set_exception(
                TesseraError("E301", "no node answers", "its jobs go on without us", "try again when it is back")
            )


# --- What goes in, and what comes out


def _runtime_folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if state.startswith("/") else Path.home() / ".local/state"
    return Path(runtime) / "tessera" if runtime.startswith("/") else home / "tessera" / "run"


def _frames(answer: http.client.HTTPResponse) -> Iterator[Tuple[int, str, Any]]:
    """Server-sent events, as the HTML standard has them, of one line of data each."""
    number, kind, data = 0, "", ""
    for raw in answer:
        name, _, value = raw.decode().rstrip("\r\n").partition(": ")
        if name == "id":
            number = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif not name and kind:
            yield number, kind, json.loads(data)
            kind, data = "", ""


def _line_of(task: Task) -> bytes:
    if isinstance(task, bytes):
        line = task
    elif isinstance(task, Mapping):
        line = json.dumps(task).encode()
    else:
        line = str(task).encode()
    if b"\n" in line:
        raise ValueError("a task of a map is one line: it may hold no line end")
    return line + b"\n"


def _task_value(value: Any) -> Any:
    """Of one line of a map."""
    if isinstance(value, dict) and isinstance(value.get("error"), dict) and "code" in value["error"]:
        return TesseraError.of(value["error"])
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return value


def _bytes_of(value: Input, picture: bool) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (str, os.PathLike)):
        return Path(value).read_bytes()
    return to_png(value) if picture else bytes(value.tobytes())


def to_png(array: Any) -> bytes:
    """A picture of uint8, height x width, or height x width x 1 or 3, as a PNG."""
    shape: Sequence[int] = array.shape
    channels = shape[2] if len(shape) == 3 else 1
    if str(array.dtype) != "uint8" or len(shape) not in (2, 3) or channels not in (1, 3):
        raise ValueError(f"a picture is of uint8, height x width [x 1 or 3], not {array.dtype} {shape}")
    height, width = shape[0], shape[1]
    stride = width * channels
    data = array.tobytes()
    rows = b"".join(b"\0" + data[y * stride : (y + 1) * stride] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)

    def part(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", head)
        + part(b"IDAT", zlib.compress(rows, 1))
        + part(b"IEND", b"")
    )


def from_png(png: bytes) -> Any:
    """A PNG of 8 bits a sample, grey or RGB and not interlaced, as an array of uint8, height x
    width [x 3]. Needs numpy. ValueError: another PNG, or none."""
    import numpy  # type: ignore[import-not-found,unused-ignore]

    if png[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG")
    at, packed, head = 8, b"", b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        head = body if kind == b"IHDR" else head
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    if depth != 8 or colour not in (0, 2) or interlaced:
        raise ValueError("a PNG of another kind than 8 bits, grey or RGB")
    channels = 3 if colour == 2 else 1
    lines = numpy.frombuffer(zlib.decompress(packed), numpy.uint8).reshape(height, 1 + width * channels)
    pixels = numpy.zeros((height, width, channels), numpy.uint8)
    above = numpy.zeros((width, channels), numpy.uint8)
    for y in range(height):
        above = pixels[y] = _unfiltered(lines[y, 0], lines[y, 1:].reshape(width, channels), above)
    return pixels if channels == 3 else pixels[:, :, 0]


def _unfiltered(kind: int, line: Any, above: Any) -> Any:
    """One row of pixels (PNG, section 9): a filter says what was taken from each sample."""
    import numpy

    if kind == 0:
        return line
    if kind == 1:  # The sample to the left, modulo 256.
        return numpy.cumsum(line, axis=0, dtype=numpy.uint64).astype(numpy.uint8)
    if kind == 2:
        return line + above
    out = numpy.zeros_like(line)
    left = numpy.zeros(line.shape[1], numpy.int32)
    corner = numpy.zeros_like(left)
    for x in range(line.shape[0]):
        up = above[x].astype(numpy.int32)
        guess = (left + up) // 2 if kind == 3 else _paeth(left, up, corner)
        left, corner = (line[x] + guess) & 255, up
        out[x] = left
    return out


def _paeth(left: Any, up: Any, corner: Any) -> Any:
    import numpy

    guess = left + up - corner
    by_left, by_up, by_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    nearest_up = numpy.where(by_up <= by_corner, up, corner)
    return numpy.where((by_left <= by_up) & (by_left <= by_corner), left, nearest_up)
