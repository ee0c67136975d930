"""slow_reader.py URL TOKEN_FILE STATUS_FILE: what tests/e2e/slow_reader checks of one node. A raw socket of a small
window, which is not read until more was told than the kernel's buffers and the node's queue hold together."""

import json
import socket
import sys
import threading
import time
import urllib.request
from urllib.parse import urlparse

url = sys.argv[1].strip()
token = open(sys.argv[2]).read().strip()
where = urlparse(url)
failures = 0

JOBS = 64
TOPICS = "/v1/events?topics=jobs,work"
KERNEL_BYTES = int(open("/proc/sys/net/ipv4/tcp_wmem").read().split()[2])  # Of the node's end, at most.


def check(claim, holds, seen=""):
    global failures
    print(("  ok   " if holds else "  FAIL ") + claim, flush=True)
    if not holds:
        failures += 1
        print("       " + str(seen)[:600])


def call(method, path, body=None):
    request = urllib.request.Request(url + path, None if body is None else json.dumps(body).encode(), method=method)
    request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


class Stream:
    """A connection to /v1/events, read as it is asked to, chunks and frames taken apart by hand."""

    def __init__(self, window=None):
        self.line = socket.socket()
        if window:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.line.settimeout(60)
        self.line.connect((where.hostname, where.port))
        self.line.sendall(f"GET {TOPICS} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        self.file = self.line.makefile("rb")
        assert b" 200 " in self.file.readline()
        while self.file.readline() != b"\r\n":
            pass
        self.text, self.bytes = b"", 0

    def frames(self):
        while True:
            size = int(self.file.readline(), 16)
            if size == 0:
                return
            chunk = self.file.read(size)
            assert len(chunk) == size and self.file.read(2) == b"\r\n"
            self.bytes += size
            self.text += chunk
            *whole, self.text = self.text.split(b"\n\n")
            for frame in whole:
                fields = dict(line.split(": ", 1) for line in frame.decode().split("\n"))
                if "event" in fields:  # Else it is a beat.
                    yield int(fields["id"]) if "id" in fields else None, fields["event"], json.loads(fields["data"])


class Quick(threading.Thread):
    """One that reads all at once."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stream = Stream()
        self.seen = []
        self.start()

    def run(self):
        try:
            for frame in self.stream.frames():
                self.seen.append(frame)
        except (OSError, ValueError):
            pass  # Closed.


def resident():
    return next(int(line.split()[1]) for line in open(sys.argv[3]) if line.startswith("VmRSS")) * 1024


def submit():
    return call("POST", "/v1/jobs", {"kernel": "sleep", "params": {"ms": 2}, "items": 200_000, "leaf": 1})["job"]


jobs = [submit() for _ in range(JOBS)]
limits = call("GET", "/v1/limits")["api"]
slow, quick = Stream(4096), Quick()
first = slow.frames()
began = next(first)
check("a slow reader's stream begins with a snapshot", began[1] == "snapshot", began)

wanted = KERNEL_BYTES + limits["stream_queue_bytes_max"] + (1 << 20)
before, until = resident(), time.monotonic() + 120
while quick.stream.bytes < wanted and time.monotonic() < until:
    time.sleep(0.1)
check("meanwhile more is told than there is room for", quick.stream.bytes >= wanted, (quick.stream.bytes, wanted))
print(f"       {quick.stream.bytes} bytes while it did not read; the node's memory grew by {resident() - before}")

# It reads again.
last = quick.seen[-1][0]
before, resync, after = [], None, []
for frame in first:
    if frame[1] == "resync":
        resync = frame
    elif not resync:
        before.append(frame)
    else:
        after.append(frame)
    if len(after) > 50 or (not resync and frame[0] > last):
        break
check("it gets a resync, without an id", resync == (None, "resync", {"schema": 1, "why": "slow"}), (resync, before[-1:]))
check("after what was on its way to it, whole and in order", before and [i for i, _, _ in before] == sorted({i for i, _, _ in before}))
check("less than all that was told", after and after[0][0] > before[-1][0] + 1, (before[-1][0], after[:1]))
check("then a snapshot", after and after[0][1] == "snapshot", after[:1])
told = after[0][2]["jobs"] if after else []
check("of all jobs as they are now", sorted(j["job"] for j in told) == sorted(jobs), len(told))
old = {data["job"]: data["done"] for _, kind, data in before if kind == "job"}
check("which are further than it knew", told and all(j["done"] >= old.get(j["job"], 0) for j in told) and any(j["done"] > old.get(j["job"], 0) for j in told))
check("and what happens from then on", len(after) > 1 and after[1][0] > after[0][0] and {k for _, k, _ in after[1:]} <= {"job", "part", "steal"}, after[1:2])
ids = [i for i, kind, _ in after]
check("in order, each once", ids == sorted(set(ids)), ids)
check("who reads at once is told of no resync", all(kind != "resync" for _, kind, _ in quick.seen))
more = quick.stream.bytes
while quick.stream.bytes == more and time.monotonic() < until + 60:
    time.sleep(0.1)
check("and goes on", quick.stream.bytes > more)
for job in jobs:
    call("POST", f"/v1/jobs/{job}/cancel")
sys.exit(1 if failures else 0)
