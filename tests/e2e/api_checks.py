"""api_checks.py URL TOKEN_FILE: what tests/e2e/api checks of one node of two."""

import copy
import http.client
import json
import socket
import struct
import sys
import threading
import time
import urllib.parse

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

url = urllib.parse.urlparse(sys.argv[1].strip())
token = open(sys.argv[2]).read().strip()
auth = {"Authorization": "Bearer " + token}
failures = 0


def check(claim, holds, seen=""):
    global failures
    print(("  ok   " if holds else "  FAIL ") + claim)
    if not holds:
        failures += 1
        print("       " + str(seen)[:600])


def connect(timeout=60):
    return http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        self.type = (self.headers.get("Content-Type") or "").split(";")[0]

    def json(self):
        return json.loads(self.body)


def call(method, path, body=None, headers={}):
    line = connect()
    line.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), {**auth, **headers})
    answer = Answer(line.getresponse())
    line.close()
    return answer


def get(path, headers={}):
    return call("GET", path, headers=headers)


# --- The description

document = get("/v1/openapi.json").json()
errors = [e.message for e in OpenAPIV31SpecValidator(document).iter_errors()]
check("the description is valid OpenAPI 3.1", not errors, errors)


def strict(schema):
    """The same schema, but no object has a member that is not described."""
    if isinstance(schema, list):
        return [strict(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: strict(v) for k, v in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        out.setdefault("additionalProperties", False)
    return out


strict_document = strict(copy.deepcopy(document))


def fits(value, schema):
    """What is wrong with it, if anything."""
    whole = {**schema, "components": strict_document["components"]}
    return [f"{list(e.absolute_path)}: {e.message}" for e in jsonschema.Draft202012Validator(whole).iter_errors(value)]


def described(answer, method, path):
    """What is wrong with an answer to this call of the description, if anything."""
    responses = strict_document["paths"][path][method]["responses"]
    response = responses.get(str(answer.status))
    if not response:
        return f"status {answer.status} is not described"
    if "$ref" in response:
        response = strict_document["components"]["responses"][response["$ref"].split("/")[-1]]
    content = response.get("content", {})
    if not content:
        return f"a body of {len(answer.body)} bytes" if answer.body else None
    kind = content.get(answer.type) or content.get("*/*")
    if not kind:
        return f"type {answer.type} is not described"
    if answer.type.endswith("json"):
        return fits(answer.json(), kind["schema"]) or None
    return None


def conforms(claim, answer, method, path, status):
    wrong = described(answer, method, path)
    check(claim, answer.status == status and not wrong, f"{answer.status} {wrong} {answer.body[:300]}")


for path in ("/healthz", "/readyz", "/metrics", "/v1/openapi.json", "/v1/status", "/v1/limits", "/v1/invite", "/v1/peers", "/v1/kernels", "/v1/jobs"):
    conforms(f"GET {path} is answered as described", get(path), "get", path, 200)

# --- Events


class Stream(threading.Thread):
    """Reads an event stream until it is closed."""

    def __init__(self, query, headers={}):
        super().__init__(daemon=True)
        self.line = connect()
        self.line.request("GET", "/v1/events?" + query, headers={**auth, **headers})
        self.socket = self.line.sock
        self.response = self.line.getresponse()
        self.events, self.beats = [], 0
        if self.response.status == 200:
            self.start()

    def run(self):
        event = {}
        try:
            for line in iter(self.response.readline, b""):
                text = line.decode().rstrip("\n")
                if text.startswith(":"):
                    self.beats += 1
                elif text:
                    name, _, value = text.partition(": ")
                    event[name] = value
                elif event:
                    self.events.append((int(event["id"]) if "id" in event else None, event["event"], json.loads(event["data"])))
                    event = {}
        except Exception:
            pass

    def of(self, kind):
        return [data for _, what, data in self.events if what == kind]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)


def within(seconds, holds):
    until = time.time() + seconds
    while not holds():
        if time.time() > until:
            return False
        time.sleep(0.05)
    return True


everything = Stream("topics=jobs,peers,node,work")
check("a stream begins with a snapshot", within(10, lambda: everything.events) and everything.events[0][1] == "snapshot", everything.events[:1])
check("its type is text/event-stream", everything.response.headers["Content-Type"] == "text/event-stream")

job = call("POST", "/v1/jobs", {"kernel": "mandelbrot", "params": {"size": 4096, "iterations": 3000}})
conforms("a job is accepted", job, "post", "/v1/jobs", 201)
job = job.json()
own = "/v1/jobs/" + job["job"]
of_it = Stream("topics=jobs,work&job=" + job["job"][:16])
check("a preview comes while it runs", within(60, lambda: get(own).json()["done"] > 0) and get(own + "/preview?width=256").status == 200)
early = get(own + "/preview?width=256")
wait = get(own + "?wait=60")
while wait.json()["state"] in ("queued", "running"):
    wait = get(own + "?wait=60")
conforms("a job that is over is told as described", wait, "get", "/v1/jobs/{job}", 200)
check("it is done", wait.json()["state"] == "done", wait.body)
check("the stream tells its end", within(10, lambda: any(j["job"] == job["job"] and j["state"] == "done" for j in everything.of("job"))))
check("the stream of this job does, too", within(10, lambda: any(j["state"] == "done" for j in of_it.of("job"))))
check("and nothing of another", all(d.get("job") == job["job"] for _, k, d in of_it.events if k in ("job", "part", "steal")))
ids = [i for i, _, _ in everything.events]
check("each event's id is that of the one before, and one", ids == list(range(ids[0], ids[0] + len(ids))), ids)
wrong = [(kind, w) for _, kind, data in everything.events for w in [fits(data, document["paths"]["/v1/events"]["get"]["responses"]["200"]["x-events"].get(kind, {"not": {}}))] if w]
check(f"all {len(everything.events)} events are as described: {sorted({k for _, k, _ in everything.events})}", not wrong, wrong[:3])

done = [False] * job["microtasks"]
for part in everything.of("part"):
    done[part["first"]:part["first"] + part["leaves"]] = [True] * part["leaves"]
check("the parts told are the whole job", all(done), done.count(False))
check("leaves were run at both nodes, by name", len({p["node"] for p in everything.of("part") if p["node"]}) == 2, {p["node"] for p in everything.of("part")})
steals = everything.of("steal")
check("a steal is told, from this node to the other", any(s["leaves"] > 0 and s["from"] != s["to"] for s in steals), steals[:3])
times = [e["elapsed_ms"] for e in everything.of("job") if e["job"] == job["job"]]
check("at most five job events a second", len(times) <= 5 * (max(times) / 1000 + 1) + 3, times)
load = everything.of("load")
check("the load is told each second", len(load) >= 2 and all(900 <= b["at_ms"] - a["at_ms"] < 3000 for a, b in zip(load, load[1:])), load[:3])

last = everything.events[-1][0]
everything.close()
back = Stream("topics=jobs,peers,node,work", {"Last-Event-ID": str(last - 5)})
check("Last-Event-ID goes on where it was", within(10, lambda: len(back.events) >= 5) and [e[0] for e in back.events[:5]] == list(range(last - 4, last + 1)), back.events[:2])
back.close()
lost = Stream("topics=node", {"Last-Event-ID": "5"})
check("and is told when that is gone", within(10, lambda: len(lost.events) >= 2) and lost.events[0][1:] == ("resync", {"schema": 1, "why": "gone"}) and lost.events[1][1] == "snapshot", lost.events[:2])
lost.close()
quiet = Stream("topics=peers")
check("a stream beats each ten seconds", within(30, lambda: quiet.beats), quiet.events)
quiet.close()
conforms("what is no topic is refused", get("/v1/events?topics=jobs,none"), "get", "/v1/events", 400)

# --- Previews


def side(png):
    return struct.unpack(">II", png[16:24]) if png[:8] == b"\x89PNG\r\n\x1a\n" else None


check("a preview is as wide as asked", side(early.body) == (256, 256), early.body[:40])
whole = get(own + "/preview?width=256")
conforms("the preview of what is done is as described", whole, "get", "/v1/jobs/{job}/preview", 200)
check("it has another tag than an early one", whole.headers["ETag"] != early.headers["ETag"], whole.headers["ETag"])
same = get(own + "/preview?width=256", {"If-None-Match": whole.headers["ETag"]})
check("who has it gets 304, and no bytes", same.status == 304 and not same.body, same.status)
for width in ("15", "2049", "x", ""):
    conforms(f"width={width} is refused", get(own + "/preview?width=" + width), "get", "/v1/jobs/{job}/preview", 400)
plain = call("POST", "/v1/jobs", {"kernel": "sumsq", "items": 1000}).json()
get("/v1/jobs/" + plain["job"] + "?wait=60")
none = get("/v1/jobs/" + plain["job"] + "/preview")
check("what makes no picture has no preview: E415", none.status == 404 and none.json()["code"] == "E415", none.body)

# --- Ranges

result = get(own + "/result")
conforms("a result is as described", result, "get", "/v1/jobs/{job}/result", 200)
etag, size = result.headers["ETag"], len(result.body)
blob = "/v1/blobs/" + wait.json()["result"]["blob"]
for path, name in ((own + "/result", "/v1/jobs/{job}/result"), (blob, "/v1/blobs/{hash}")):
    part = get(path, {"Range": "bytes=100-199"})
    conforms(f"a range of {name} is as described", part, "get", name, 206)
    check("it is these bytes", part.body == result.body[100:200] and part.headers["Content-Range"] == f"bytes 100-199/{size}", part.headers)
    check("the last bytes", get(path, {"Range": "bytes=-7"}).body == result.body[-7:])
    check("a range of what is still the same", get(path, {"Range": "bytes=5-9", "If-Range": etag}).body == result.body[5:10])
    check("the whole of what is not", get(path, {"Range": "bytes=5-9", "If-Range": '"other"'}).body == result.body)
    over = get(path, {"Range": f"bytes={size}-"})
    conforms("what lies behind it is refused", over, "get", name, 416)
    check("with its size", over.headers["Content-Range"] == f"bytes */{size}", over.headers)
    check("304 for who has it", get(path, {"If-None-Match": etag}).status == 304)
    head = call("HEAD", path)
    check("HEAD tells its length, without it", head.status == 200 and not head.body and head.headers["Content-Length"] == str(size), head.headers)

# --- Errors

for method, path, status, code in (
    ("GET", "/v1/none", 404, "E404"),
    ("DELETE", "/v1/status", 405, "E418"),
    ("PUT", "/v1/jobs", 405, "E418"),
    ("GET", "/v1/jobs/zz", 400, "E400"),
    ("GET", "/v1/jobs/" + "0" * 64, 404, "E414"),
    ("GET", "/v1/blobs/" + "0" * 64, 404, "E112"),
):
    answer = call(method, path)
    wrong = fits(answer.json(), {"$ref": "#/components/schemas/Problem"})
    check(f"{method} {path[:20]} is {status} {code}", answer.status == status and answer.json()["code"] == code and answer.type == "application/problem+json" and not wrong, answer.body)
check("405 tells what there is", call("PUT", "/v1/jobs").headers["Allow"] == "POST, GET, HEAD", call("PUT", "/v1/jobs").headers)
check("no token, no answer", call("GET", "/metrics", headers={"Authorization": ""}).status == 401)
check("another Host is refused", call("GET", "/v1/status", headers={"Host": "evil.example"}).status == 403)
check("another Origin is refused", call("GET", "/v1/status", headers={"Origin": "http://evil.example"}).status == 403)

# --- Metrics

metrics = get("/metrics").body.decode()
families = {f.name: f for f in text_string_to_metric_families(metrics)}
sample = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families.values() for s in f.samples}
check("metrics are read by Prometheus's own parser", len(families) > 25, sorted(families))
check("all have help and a type", all(f.documentation and f.type != "unknown" for f in families.values()))
check("the job is counted", sample[("tessera_job_seconds_count", (("state", "done"),))] >= 2, sample)
check("microtasks are", sample[("tessera_microtasks_total", ())] > 0)
check("so are steals", sample[("tessera_steals_total", (("direction", "out"),))] > 0)
check("so are bytes to peers", sample[("tessera_bytes_total", (("direction", "sent"),))] > 1000)
check("two nodes are known", sample[("tessera_peers", ())] == 2)
check("the process is told of", sample[("process_resident_memory_bytes", ())] > 1e6 and abs(sample[("process_start_time_seconds", ())] - time.time()) < 3600)

# --- Many streams

limits = get("/v1/limits").json()["api"]
many = [Stream("topics=node") for _ in range(limits["streams_max"] - 1)]  # And that of the job.
check(f"{len(many)} more streams are open", all(s.response.status == 200 for s in many))
more = get("/v1/events")
check("one more is refused: 503 E481", more.status == 503 and more.json()["code"] == "E481", more.body)
check("all of them get the load", within(30, lambda: all(s.of("load") for s in many)))
for stream in many:
    stream.close()


def streams_open():
    families = text_string_to_metric_families(get("/metrics").body.decode())
    return next(s.value for f in families for s in f.samples if s.name == "tessera_event_streams")


check("clients that go away free theirs", within(30, lambda: streams_open() <= 1), streams_open())

sys.exit(1 if failures else 0)
