"""An HTTPS proxy between the controller and the API server: the place where a test sees every call and spoils some.

What it does to a call is a `Policy`; the plain one only counts. The token passes through unchanged, so that the API server
sees the same user. Watches are passed on event by event.
"""
import http.client
import http.server
import json
import random
import socket
import ssl
import threading
import time
import urllib.parse

WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Drop(Exception):
    """Close the connection without an answer."""


class Call:
    """One request as a policy sees it."""

    def __init__(self, method, path, body):
        self.method, self.path, self.body = method, path, body
        parts = urllib.parse.urlsplit(path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.bare = parts.path
        self.watch = method == "GET" and self.query.get("watch") in ("1", "true")
        self.write = method in WRITES and "/leases" not in self.bare and "/events" not in self.bare
        self.list = method == "GET" and not self.watch and self.bare.rstrip("/").count("/") <= (4 if self.bare.startswith("/apis/") else 3)

    def __str__(self):
        return f"{self.method} {self.path}"


class Policy:
    """Lets everything through and remembers the writes."""

    def __init__(self):
        self.writes, self.lock = [], threading.Lock()

    def before(self, call):
        """None: forward. (status, headers, body): answer so. May sleep or raise Drop."""
        return None

    def after(self, call, status, body):
        """The API server has answered; may replace (status, body) or raise Drop."""
        if call.write:
            with self.lock:
                self.writes.append((str(call), status))
        return status, body

    def delivered(self, call, status):
        """The controller has the answer."""

    def events(self, call, line):
        """The lines to send for one line of a watch; may raise Drop."""
        return [line]


def answer(code, reason, message, headers=()):
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}
    return code, dict(headers), json.dumps(body).encode()


class Faults(Policy):
    """Spoils calls at random, the same way for the same seed and order. `rate` scales all chances; `calm` ends it.

    What it does is what networks and API servers do: delays, broken connections before and after the call took effect, 409,
    410, 429, 500, 503, lists from an older state, watches that repeat events, swap events of different objects, end early or in
    the middle of a line, or say that their version is gone."""

    def __init__(self, seed, rate=1.0):
        super().__init__()
        self.random, self.rate, self.calm, self.counts = random.Random(seed), rate, False, {}
        self.old_lists, self.held = {}, {}

    def chance(self, what, probability):
        with self.lock:
            if self.calm or self.random.random() >= probability * self.rate:
                return False
            self.counts[what] = self.counts.get(what, 0) + 1
            return True

    def before(self, call):
        if "/leases" in call.bare:
            return None
        if self.chance("delay", 0.08):
            time.sleep(self.random.uniform(0.02, 0.3))
        if self.chance("dropped before", 0.04):
            raise Drop
        if self.chance("500", 0.03):
            return answer(500, "InternalError", "injected: etcd is unhappy")
        if self.chance("429", 0.03):
            return answer(429, "TooManyRequests", "injected: slow down", {"Retry-After": "1"})
        if self.chance("503", 0.01):
            return answer(503, "ServiceUnavailable", "injected: not now")
        if call.method in ("PUT", "PATCH") and self.chance("409", 0.08):
            return answer(409, "Conflict", "injected: the object has been modified; please apply your changes to the latest version and try again")
        if (call.watch or call.query.get("continue")) and self.chance("410", 0.1):
            return answer(410, "Expired", "injected: too old resource version")
        if call.list and call.path in self.old_lists and self.chance("stale list", 0.3):
            return 200, {"Content-Type": "application/json"}, self.old_lists[call.path]
        return None

    def after(self, call, status, body):
        status, body = super().after(call, status, body)
        if call.list and status == 200 and call.path not in self.old_lists:
            self.old_lists[call.path] = body
        if "/leases" not in call.bare and self.chance("dropped after", 0.04):
            raise Drop
        return status, body

    def events(self, call, line):
        if self.chance("watch cut", 0.03):
            raise Drop
        if self.chance("watch 410", 0.02):
            gone = json.loads(answer(410, "Expired", "injected: too old resource version")[2])
            return [json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n"]
        lines = [line]
        held = self.held.pop(id(call), None)
        if held is not None:  # a swap: the newer event first, unless both are about one object
            lines = [line, held] if uid_of(held) != uid_of(line) else [held, line]
        elif self.chance("watch swapped", 0.05):
            self.held[id(call)] = line
            return []
        if self.chance("watch repeated", 0.08):
            lines = lines + [lines[-1]]
        return lines

    def release(self, call):
        """What is held back when nothing follows."""
        held = self.held.pop(id(call), None)
        return [held] if held is not None else []


def uid_of(line):
    try:
        return json.loads(line)["object"]["metadata"].get("uid")
    except (ValueError, KeyError):
        return None


class Proxy:
    def __init__(self, cluster, policy=None):
        self.cluster, self.policy = cluster, policy or Policy()
        self.stopping = False
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (Drop, OSError, http.client.HTTPException):
                    self.close_connection = True

            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                proxy.handle(self, Call(self.command, self.path, body))
            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cluster.dir / "server.crt", cluster.dir / "server.key")
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.client_tls = ssl.create_default_context(cafile=str(cluster.dir / "ca.crt"))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.server.shutdown()
        self.server.server_close()

    def upstream(self, handler, call):
        """The API server's answer; the connection to it is kept per client connection."""
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "connection", "accept-encoding", "content-length")}
        connection = None if call.watch else getattr(handler, "upstream", None)
        for attempt in (0, 1):
            if connection is None:
                connection = http.client.HTTPSConnection(f"127.0.0.1:{self.cluster.port}", context=self.client_tls, timeout=None if call.watch else 60)
            try:
                connection.request(call.method, call.path, call.body, headers)
                reply = connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()
                connection = None
                if attempt or call.write:
                    raise
        if not call.watch:
            handler.upstream = connection
        return connection, reply

    def handle(self, handler, call):
        given = self.policy.before(call)
        if given is not None:
            code, headers, body = given
            return self.reply(handler, call, code, headers, body)
        connection, reply = self.upstream(handler, call)
        headers = {k: v for k, v in reply.getheaders() if k.lower() in ("content-type", "retry-after", "audit-id", "warning")}
        if call.watch and reply.status == 200:
            try:
                return self.stream(handler, call, reply, connection, headers)
            finally:
                connection.close()
        status, body = self.policy.after(call, reply.status, reply.read())
        self.reply(handler, call, status, headers, body)

    def reply(self, handler, call, code, headers, body):
        handler.send_response(code)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        self.policy.delivered(call, code)

    def stream(self, handler, call, reply, connection, headers):
        handler.send_response(200)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        try:
            while not self.stopping:
                line = self.next_line(handler, call, reply, connection)
                if not line:
                    break
                for made in self.policy.events(call, line):
                    handler.wfile.write(b"%x\r\n%s\r\n" % (len(made), made))
                handler.wfile.flush()
            handler.wfile.write(b"0\r\n\r\n")
            handler.wfile.flush()
        except Drop:
            handler.wfile.write(b"30\r\n{\"type\":\"MODIFIED\",\"obj")  # a line cut short
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    def next_line(self, handler, call, reply, connection):
        """The next event; what a policy holds back goes out when none follows soon."""
        held = getattr(self.policy, "held", {})
        if id(call) in held:
            connection.sock.settimeout(0.5)
            try:
                return reply.readline()
            except (socket.timeout, TimeoutError):
                for made in self.policy.release(call):
                    handler.wfile.write(b"%x\r\n%s\r\n" % (len(made), made))
                handler.wfile.flush()
                raise Drop from None  # the reader is unusable after a time-out: the watch ends here
            finally:
                if connection.sock:
                    connection.sock.settimeout(None)
        return reply.readline()
