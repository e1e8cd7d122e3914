"""Routes of a registry that misbehaves, for scripted_server.py. What goes wrong is the first part of the repository's
name; every other request is answered as the distribution specification says.

  plain        nothing            bearer      tokens from /token (me:pw), for the right scope
  expiring     every token is good for two requests only
  wrongdigest  blobs come back altered             cutdown     a blob's download is cut twice
  cutup        an upload's pieces are cut twice, half of each is kept
  lost         the upload session is forgotten once
  busy         begins with 429 and Retry-After: 0  refuses     403 with the registry's words
  cdn          blobs are redirected to another host
  metadata     blobs are redirected to a cloud's metadata service
  stalls       a blob's download stops once        badmanifest the manifest does not have its digest
  nolength     the answer to a piece has no Range header
"""
import base64, re, uuid

BLOBS, MANIFESTS, UPLOADS, TOKENS = {}, {}, {}, {}


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def error(h, status, code, message, headers=()):
    h.answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), headers)


def authorised(h, repository, need):
    kind = repository.split("/")[0]
    if kind not in ("bearer", "expiring", "identity"):
        return True
    given = (h.headers.get("Authorization") or "").removeprefix("Bearer ")
    token = TOKENS.get(given)
    if token and "repository:%s:%s" % (repository, need) in token["scopes"] and token["left"] > 0:
        token["left"] -= 1
        return True
    h.body()
    error(h, 401, "UNAUTHORIZED", "log in", [("WWW-Authenticate",
          'Bearer realm="http://127.0.0.1:%d/token",service="scripted",scope="repository:%s:%s"' % (h.server.server_address[1], repository, need))])
    return False


@route("/token")
def token(h, rest, query):
    data = h.body()
    given = h.headers.get("Authorization") or ""
    if h.command == "POST":
        query = urllib.parse.parse_qs(data.decode())
        ok = query.get("refresh_token") == ["r3fresh"] and query.get("grant_type") == ["refresh_token"]
    else:
        ok = given == "Basic " + base64.b64encode(b"me:pw").decode()
    if not ok or query.get("service") != ["scripted"]:
        return error(h, 401, "UNAUTHORIZED", "wrong password")
    value = uuid.uuid4().hex
    scopes = " ".join(query["scope"])
    TOKENS[value] = {"scopes": scopes, "left": 2 if "expiring" in scopes else 1000000}
    h.answer(200, json.dumps({"access_token" if h.command == "POST" else "token": value, "expires_in": 300}).encode())


@route("/cdn/")
def cdn(h, rest, query):
    h.send_range(BLOBS[rest], None)


def get_blob(h, kind, digest):
    data = BLOBS.get(digest)
    if data is None:
        return error(h, 404, "BLOB_UNKNOWN", "blob unknown")
    n = count("get " + kind + h.path) if h.command == "GET" else 0
    if h.command == "HEAD":
        return h.answer(200, data)
    if kind == "wrongdigest" and len(data) > 1000:
        data = data[:500] + bytes([data[500] ^ 1]) + data[501:]
    if kind == "cdn":
        return h.answer(307, b"", [("Location", "http://localhost:%d/cdn/%s" % (h.server.server_address[1], digest))])
    if kind == "metadata":
        return h.answer(307, b"", [("Location", "http://169.254.169.254/latest")])
    h.send_range(data, None, cut_at=len(data) // 3 if kind == "cutdown" and n < 2 else None)


def begin_upload(h, repository, query):
    kind = repository.split("/")[0]
    if kind == "busy" and count("busy " + h.path) < 2:
        return error(h, 429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "0")])
    if kind == "refuses":
        return error(h, 403, "DENIED", "this repository is read-only")
    session = uuid.uuid4().hex
    UPLOADS[session] = b""
    h.answer(202, b"", [("Location", "/v2/%s/blobs/uploads/%s?state=x" % (repository, session)), ("Range", "0-0")])


def upload(h, repository, session, query):
    kind = repository.split("/")[0]
    here = [("Location", "/v2/%s/blobs/uploads/%s?state=y" % (repository, session))]
    if session not in UPLOADS or (kind == "lost" and h.command == "PATCH" and len(UPLOADS[session]) and count("lost " + repository) < 1):
        UPLOADS.pop(session, None)
        h.body()
        return error(h, 404, "BLOB_UPLOAD_UNKNOWN", "session unknown")
    if h.command == "GET":
        return h.answer(204, b"", here + [("Range", "0-%d" % max(len(UPLOADS[session]) - 1, 0))])
    length = int(h.headers.get("Content-Length") or 0)
    if kind == "cutup" and length > 1000 and count("cutup " + h.command + repository) < 2:
        UPLOADS[session] += h.rfile.read(length // 2)
        return h.cut()
    wanted = h.headers.get("Content-Range")
    data = h.rfile.read(length)
    if wanted and int(wanted.split("-")[0]) != len(UPLOADS[session]):
        return h.answer(416, b"", here + [("Range", "0-%d" % max(len(UPLOADS[session]) - 1, 0))])
    UPLOADS[session] += data
    if h.command == "PATCH":
        return h.answer(202, b"", here + ([] if kind == "nolength" else [("Range", "0-%d" % (len(UPLOADS[session]) - 1))]))
    whole = UPLOADS.pop(session)
    if query.get("digest") != [sha(whole)]:
        return error(h, 400, "DIGEST_INVALID", "the digest does not match the content")
    BLOBS[sha(whole)] = whole
    h.answer(201, b"", [("Docker-Content-Digest", sha(whole))])


def manifest(h, repository, reference):
    kind = repository.split("/")[0]
    if h.command == "PUT":
        data = h.body()
        for key in (reference, sha(data)):
            MANIFESTS[repository, key] = (data, h.headers.get("Content-Type"))
        return h.answer(201, b"", [("Docker-Content-Digest", sha(data))])
    if (repository, reference) not in MANIFESTS:
        return error(h, 404, "MANIFEST_UNKNOWN", "manifest unknown")
    data, media_type = MANIFESTS[repository, reference]
    announced = sha(data)
    if kind == "badmanifest":
        data += b" "
    h.answer(200, data, [("Content-Type", media_type), ("Docker-Content-Digest", announced)])


@route("/v2/")
def v2(h, rest, query):
    if rest == "":
        return h.answer(200, b"{}")
    m = re.fullmatch(r"(.+?)/(blobs/uploads|blobs|manifests)/(.*)", rest)
    if not m:
        h.body()
        return error(h, 404, "NAME_UNKNOWN", "no such name")
    repository, what, name = m.groups()
    if not authorised(h, repository, "pull" if h.command in ("GET", "HEAD") and what != "blobs/uploads" else "pull,push"):
        return
    if what == "manifests":
        return manifest(h, repository, name)
    if what == "blobs":
        return get_blob(h, repository.split("/")[0], name)
    if name == "":
        h.body()
        return begin_upload(h, repository, query)
    upload(h, repository, name, query)


@route("/seed/")
def seed(h, rest, query):
    """PUT /seed/blob or /seed/manifest/REPOSITORY/TAG: put something in from a test."""
    data = h.body()
    BLOBS[sha(data)] = data
    if rest.startswith("manifest/"):
        repository, tag = rest[len("manifest/"):].rsplit("/", 1)
        media_type = json.loads(data).get("mediaType", "application/vnd.oci.image.manifest.v1+json")
        for key in (tag, sha(data)):
            MANIFESTS[repository, key] = (data, media_type)
    h.answer(201, sha(data).encode())
