"""`tessera watch` on a pseudo-terminal: the other screen, the new size, q and Ctrl-C, the terminal as it was."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

tessera, data = sys.argv[1:]
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read_until(fd, wanted, seconds=20):
    seen, end = b"", time.monotonic() + seconds
    while wanted not in seen:
        left = end - time.monotonic()
        assert left > 0, f"{wanted!r} does not come; there came {seen[-400:]!r}"
        if select.select([fd], [], [], left)[0]:
            try:
                more = os.read(fd, 65536)
            except OSError:  # Its other end is closed.
                more = b""
            assert more, f"{wanted!r} does not come before the end; there came {seen[-400:]!r}"
            seen += more
    return seen


def watch(end, environment=()):
    # The slave stays open here, so that its settings can be seen when the other is gone.
    master, slave = pty.openpty()
    resize(master, 24, 100)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.environ.pop("NO_COLOR", None)
        os.environ.update(environment)
        os.execv(tessera, [tessera, "watch", "--data", data])
    seen = read_until(master, b"q quits")
    assert ENTER in seen and b"PEER" in seen and b"PROGRESS" in seen, seen
    assert not termios.tcgetattr(slave)[3] & termios.ECHO, "keys are echoed"
    resize(master, 10, 40)
    seen += read_until(master, b"\x1b[10;1H")  # The last line of the smaller screen.
    end(pid, master)
    seen += read_until(master, LEAVE)
    _, status = os.waitpid(pid, 0)
    assert termios.tcgetattr(slave) == before, "the terminal is not as it was"
    os.close(slave)
    os.close(master)
    return seen, status


seen, status = watch(lambda pid, fd: os.write(fd, b"q"), {"TERM": "xterm"})
assert status == 0, status
assert b"\x1b[1m" in seen, "no colour"
seen, status = watch(lambda pid, fd: os.write(fd, b"\x03"), {"NO_COLOR": "1"})
assert status == 0, status
assert b"\x1b[1m" not in seen and b"\x1b[2m" not in seen, "colour, though NO_COLOR is set"
seen, status = watch(lambda pid, fd: os.kill(pid, signal.SIGTERM))
assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 128 + signal.SIGTERM, status
print("ok")
