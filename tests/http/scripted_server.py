#!/usr/bin/env python3
"""A loopback HTTP server that misbehaves on request, for the tests of the HTTP client, the hub and the registry client.

usage: scripted_server.py [MODULE.py ...]    prints its port on the first line, then serves until its input is closed.

What a path does is in the table ROUTES: "prefix" -> function(handler, rest of the path, query). A module given on the
command line is executed in this file's namespace and adds its own routes. Every request is logged; GET /_log gives the
log as JSON and empties it. Counters (count()) let a route fail n times and then succeed.
"""
import hashlib, http.server, json, socketserver, sys, threading, time, urllib.parse

LOG, COUNTS, LOCK = [], {}, threading.Lock()
ROUTES = {}


def content(name, size=200000):
    """Deterministic bytes that depend on the name."""
    block = hashlib.sha256(name.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def count(key):
    """How often this key was asked for before."""
    with LOCK:
        COUNTS[key] = COUNTS.get(key, 0) + 1
        return COUNTS[key] - 1


def route(prefix):
    def add(function):
        ROUTES[prefix] = function
        return function
    return add


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def body(self):
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length)

    def answer(self, status, data=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def cut(self):
        """Close the connection without finishing the answer."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def send_range(self, data, etag, headers=(), cut_at=None, ignore_range=False):
        """200, or 206 for a Range whose If-Range (when there) matches; optionally cut after cut_at bytes."""
        first, wanted = 0, self.headers.get("Range")
        if_range = self.headers.get("If-Range")
        if wanted and not ignore_range and (if_range is None or if_range == etag):
            first = int(wanted.split("=")[1].split("-")[0])
            if first >= len(data):
                self.answer(416, headers=[("Content-Range", "bytes */%d" % len(data))])
                return
        part = data[first:]
        self.send_response(206 if first else 200)
        if etag:
            self.send_header("ETag", etag)
        if first:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, len(data) - 1, len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut_at is not None and cut_at < len(part):
            self.wfile.write(part[:cut_at])
            self.cut()
        else:
            self.wfile.write(part)

    def serve(self):
        url = urllib.parse.urlsplit(self.path)
        path, query = url.path, urllib.parse.parse_qs(url.query, keep_blank_values=True)
        if path == "/_log":
            with LOCK:
                data = json.dumps(LOG).encode()
                LOG.clear()
            return self.answer(200, data)
        with LOCK:
            LOG.append({"method": self.command, "path": self.path, "host": self.headers.get("Host"),
                        "authorization": self.headers.get("Authorization"), "range": self.headers.get("Range"),
                        "content_range": self.headers.get("Content-Range"), "accept": self.headers.get("Accept")})
        for prefix in sorted(ROUTES, key=len, reverse=True):
            if path.startswith(prefix):
                return ROUTES[prefix](self, path[len(prefix):], query)
        self.body()
        self.answer(404, b"no such route")

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = serve


@route("/ok/")
def ok(h, rest, query):
    h.send_range(content(rest), '"%s"' % rest)


@route("/drop/")
def drop(h, rest, query):
    """/drop/N/NAME: the first N answers are cut after 50 000 bytes."""
    n, name = rest.split("/", 1)
    h.send_range(content(name), '"%s"' % name, cut_at=50000 if count(h.path) < int(n) else None)


@route("/norange/")
def norange(h, rest, query):
    """The first answer is cut, and Range is ignored."""
    h.send_range(content(rest), '"%s"' % rest, cut_at=50000 if count(h.path) < 1 else None, ignore_range=True)


@route("/changed/")
def changed(h, rest, query):
    """The content changes after the first, cut, answer."""
    if count(h.path) < 1:
        h.send_range(content(rest + "-old"), '"old"', cut_at=50000)
    else:
        h.send_range(content(rest), '"new"')


@route("/notag/")
def notag(h, rest, query):
    h.send_range(content(rest), None, cut_at=50000 if count(h.path) < 1 else None)


@route("/badrange/")
def badrange(h, rest, query):
    """Answers a Range with another one."""
    if count(h.path) < 1:
        return h.send_range(content(rest), '"x"', cut_at=50000)
    h.answer(206, b"x" * 100, [("Content-Range", "bytes 0-99/200000")])


@route("/status/")
def status(h, rest, query):
    """/status/CODE/N/NAME[?after=S]: N answers of that status (with Retry-After), then the content."""
    code, n, name = rest.split("/", 2)
    h.body()
    if count(h.path) < int(n):
        extra = [("Retry-After", query["after"][0])] if "after" in query else []
        return h.answer(int(code), b"failing on purpose", extra)
    h.answer(200, content(name))


@route("/stall/")
def stall(h, rest, query):
    """/stall/N/NAME: the first N answers send 50 000 bytes and then nothing for 3 s."""
    n, name = rest.split("/", 1)
    if count(h.path) >= int(n):
        return h.send_range(content(name), '"%s"' % name)
    h.send_response(200)
    h.send_header("ETag", '"%s"' % name)
    h.send_header("Content-Length", "200000")
    h.end_headers()
    h.wfile.write(content(name)[:50000])
    h.wfile.flush()
    time.sleep(3)
    h.cut()


@route("/drip/")
def drip(h, rest, query):
    """/drip/NAME: a byte every 20 ms, for 4 s at most."""
    h.send_response(200)
    h.send_header("Content-Length", "200")
    h.end_headers()
    for _ in range(200):
        h.wfile.write(b".")
        h.wfile.flush()
        time.sleep(0.02)


@route("/redirect")
def redirect(h, rest, query):
    h.body()
    h.answer(int(query.get("code", ["302"])[0]), b"moved", [("Location", query["to"][0])])


@route("/loop")
def loop(h, rest, query):
    n = int(rest or 0)
    h.answer(302, b"", [("Location", "/loop%d" % (n + 1))])


@route("/hops/")
def hops(h, rest, query):
    n = int(rest)
    if n == 0:
        return h.answer(200, b"arrived")
    h.answer(302, b"", [("Location", "/hops/%d" % (n - 1))])


@route("/auth")
def auth(h, rest, query):
    h.body()
    h.answer(200, (h.headers.get("Authorization") or "none").encode())


@route("/upload")
def upload(h, rest, query):
    data = h.body()
    h.answer(201, ("%s %d %s" % (h.command, len(data), hashlib.sha256(data).hexdigest())).encode())


@route("/headers")
def many_headers(h, rest, query):
    h.answer(200, b"x", [("X-%d" % i, "v" * 8000) for i in range(60)])


@route("/empty")
def empty(h, rest, query):
    h.answer(200, b"")


@route("/more/")
def more(h, rest, query):
    """Twice the usual size."""
    h.send_range(content(rest, 400000), '"%s"' % rest)


@route("/file")
def disposition(h, rest, query):
    h.answer(200, b"a,b\n1,2\n", [("Content-Disposition", 'attachment; filename="../../evil.csv"')])


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a connection that a test cut on purpose


def main():
    for path in sys.argv[1:]:
        exec(compile(open(path).read(), path, "exec"), globals())
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
