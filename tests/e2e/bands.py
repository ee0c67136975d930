"""bands.py TESSERA WORK URL: what tests/e2e/bands checks, at node WORK/a."""

import json
import struct
import subprocess
import sys
import time
import urllib.request
import zlib

tessera, work, url = sys.argv[1:]
url = url.strip()
token = open(f"{work}/a/token").read().strip()
failures = 0
WIDTH, HEIGHT, BANDS = 4000, 4000, 200


def check(claim, holds, seen=""):
    global failures
    print(("  ok   " if holds else "  FAIL ") + claim, flush=True)
    if not holds:
        failures += 1
        print("       " + str(seen)[:600])


def get(path):
    request = urllib.request.Request(url + path, headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=90) as answer:
        return answer.read()


def submit(*words):
    told = subprocess.run([tessera, "submit", "tiles", "--input", f"{work}/in.ppm", "--detach", "--data", f"{work}/a", *words], capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told
    return told.stdout.split()[0]


def rows_there(png):
    """Of an RGBA PNG, for each row whether it is there, and its bytes."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert (depth, colour, interlaced) == (8, 6, 0)
        if kind == b"IDAT":
            data += body
        at += 12 + size
    raw, stride, rows, above = zlib.decompress(data), width * 4, [], bytes(width * 4)
    for y in range(height):
        how, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            left = line[x - 4] if x >= 4 else 0
            corner = above[x - 4] if x >= 4 else 0
            p = left + above[x] - corner
            paeth = min((left, above[x], corner), key=lambda v: abs(p - v))
            line[x] = (line[x] + (0, left, above[x], (left + above[x]) // 2, paeth)[how]) & 255
        above = bytes(line)
        rows.append((all(above[3::4]), above))
    return rows


with open(f"{work}/in.ppm", "wb") as file:
    file.write(b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT))
    row = bytes((x * 7) & 255 if x // 300 % 2 else x & 63 for x in range(WIDTH * 3))
    for y in range(HEIGHT):
        file.write(row[3 * (y % WIDTH) :] + row[: 3 * (y % WIDTH)])

words = ["-p", "op=gauss", "-p", "sigma=40", "-p", "shape=band", "-p", f"tiles={BANDS}"]
job = submit(*words, "-p", "format=ppm")
grown, state = [], None
while state not in ("done", "failed", "cancelled"):
    told = json.loads(get(f"/v1/jobs/{job}"))
    rows = rows_there(get(f"/v1/jobs/{job}/preview?width=64"))
    state = told["state"]
    if state != "done":
        grown.append(sum(there for there, _ in rows))
    time.sleep(0.1)
check("it is done", state == "done", told)
check("by both", len([s for s in told["shares"] if s["microtasks"]]) == 2, told["shares"])
check("a part of it was seen before", any(0 < n < 64 for n in grown), grown)
check("and then more", len(set(grown)) > 2 and grown == sorted(grown), grown)
whole = rows_there(get(f"/v1/jobs/{job}/preview?width=64"))
check("all of it is seen at last", all(there for there, _ in whole))
fresh = rows_there(get(f"/v1/jobs/{job}/preview?width=63"))
check("also by one who did not look before", all(there for there, _ in fresh))


def finished(*words):
    job = submit(*words)
    while json.loads(get(f"/v1/jobs/{job}?wait=60"))["state"] not in ("done", "failed"):
        pass
    return rows_there(get(f"/v1/jobs/{job}/preview?width=64"))


check("it is what the same job shows as a PNG", finished(*words, "-p", "format=png") == whole)
squares = finished("-p", "op=gauss", "-p", "sigma=40", "-p", "tiles=100", "-p", "format=ppm")
check("and in squares that become a PPM", squares == whole)
sys.exit(1 if failures else 0)
