"""What tests/e2e/watch needs a program for: `tessera watch` on a pseudo-terminal while its node dies and comes back, and
against an event stream that is cut just where it hurts."""

import fcntl
import http.server
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time

mode, tessera, data = sys.argv[1:4]


# --- A screen


def drawn(fd, patience):
    """What was written to the terminal since, or within that time."""
    if not select.select([fd], [], [], patience)[0]:
        return b""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def screen(job, go):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    watch = subprocess.Popen([tessera, "watch", job, "--data", data], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    lines = {}  # By number, as the terminal would have them.
    rest = b""

    def until(holds, seconds=60):
        nonlocal rest
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, lines
            rest += drawn(master, 0.1)
            *whole, rest = re.split(rb"(?=\x1b\[\d+;1H)", rest) if b"\x1b[" in rest else (rest,)
            for piece in whole:
                if place := re.match(rb"\x1b\[(\d+);1H(.*)\x1b\[K", piece, re.S):
                    lines[int(place[1])] = re.sub(rb"\x1b\[[\d;]*m", b"", place[2]).decode()

    def shows(words):
        return any(re.search(words, line) for line in lines.values())

    until(lambda: shows(r"job \w+ +sleep@1 +running") and shows("it runs"))
    print("on screen", flush=True)
    until(lambda: shows("E301 .*: connecting again"))
    print("trouble on screen", flush=True)
    until(lambda: not shows("connecting again") and shows(r"job \w+ +sleep@1 +running"))
    print("back on screen", flush=True)
    while not os.path.exists(go):
        drawn(master, 0.1)
    os.write(master, b"q")
    begun = time.monotonic()
    while watch.poll() is None:
        drawn(master, 0.1)
        assert time.monotonic() - begun < 5, "it does not leave"
    assert watch.returncode == 0, watch.returncode


# --- A node of our own words

ID = "7f" * 32


def job(state, done):
    return {"job": ID, "kernel": "sumsq@1", "state": state, "done": done, "microtasks": 100, "peers": 1, "shares": []}


def frame(number, kind, data):
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def snapshot(number, state, done):
    status = {"name": "a", "id": "A", "running": 1, "slots": 1, "pause": None}
    return frame(number, "snapshot", {"schema": 1, "status": status, "peers": [], "jobs": [job(state, done)]})


# Each a connection's bytes: cut in the middle of a frame, in the middle of the chunked body; without an event; with one
# that has no JSON; to the end.
STREAMS = [
    snapshot(10, "running", 11) + frame(11, "job", job("running", 22)) + frame(12, "job", job("running", 33))[:40],
    b": beat\n\n",
    frame(12, "job", job("running", 44)) + b"id: 13\nevent: job\ndata: {nonsense\n\n",
    frame(None, "resync", {"schema": 1, "why": "gone"}) + snapshot(90, "running", 55) + frame(None, "resync", {"schema": 1, "why": "slow"}),
    snapshot(95, "running", 66) + frame(96, "job", job("done", 100)),
]
asked = []


class Node(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if not self.path.startswith("/v1/events"):
            return self.answer(200, json.dumps(job("running", 1)).encode())
        if mode == "refused":
            return self.answer(503, json.dumps({"code": "E481", "title": "there are too many event streams", "detail": "256", "fix": "close one"}).encode())
        number = len(asked)
        asked.append((self.path, self.headers.get("Last-Event-ID"), self.headers.get("Authorization")))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        stream = STREAMS[min(number, len(STREAMS) - 1)]
        for at in range(0, len(stream), 7):
            piece = stream[at : at + 7]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if number == 1:
            self.wfile.write(b"0\r\n\r\n")  # A clean end.
        time.sleep(1.5 if number != len(STREAMS) - 1 else 5)  # Lines are told each second.
        self.close_connection = True


def scripted():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(data, "script.token"), "w") as token:
        token.write("t0ken\n")
    words = [tessera, "watch", ID, "--api", f"http://127.0.0.1:{server.server_port}", "--token-file", token.name]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def cut():
    said = scripted()
    assert said.returncode == 0, said
    for done in ("22/100", "44/100", "55/100", "100/100"):
        assert done in said.stdout, (done, said)
    assert "33/100" not in said.stdout, said
    assert [last for _, last, _ in asked] == [None, "11", "11", "13", "90"], asked
    assert all("job=" + ID in path and token == "Bearer t0ken" for path, _, token in asked), asked
    assert said.stderr.count("connecting again") == said.stderr.count("connected again") == 4, said.stderr


def refused():
    said = scripted()
    assert said.returncode != 0 and said.stderr.startswith("E481"), said


if mode == "screen":
    screen(*sys.argv[4:])
else:
    {"cut": cut, "refused": refused}[mode]()
