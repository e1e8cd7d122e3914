"""Routes of a model hub, for scripted_server.py. The organisation in a repository's name says what goes wrong:

  ok         nothing             gated      401 with the hub's error code, unless the token is "good"
  secret     401 without a code  gone       404 with the hub's error code
  cut        every large file's first download is cut       moved   the repository was renamed
  wrong      large files come altered                       evil    lists "../x"        metadata  redirects to 169.254.169.254
Large files (*.safetensors, *.gguf, *.parquet) are redirected to "localhost", another host than 127.0.0.1.
"""
import hashlib, os

INDEX = json.dumps({"metadata": {"total_size": 400000}, "weight_map": {
    "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00001-of-00002.safetensors"}}).encode()
REPOS = {
    "single": ["config.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx", "tokenizer.json", "tokenizer_config.json",
               "merges.txt", "README.md", ".gitattributes", "original/consolidated.00.pth", "consolidated.safetensors"],
    "sharded": ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                "extra.safetensors", "tokenizer.json"],
    "gguf": ["model-Q4.gguf", "model-Q8.gguf", "README.md"],
    "onegguf": ["model-Q4.gguf", "README.md"],
    "pickle": ["config.json", "pytorch_model.bin"],
    "empty": ["README.md"],
    "missingshard": ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"],
    "data": ["README.md", "data/train-00000.parquet", "data/test.jsonl", "script.py", ".gitattributes"],
}
COMMIT = "c0ffee" + "0" * 34
LARGE = (".safetensors", ".gguf", ".parquet")


def hub_content(name):
    if name.endswith("index.json"):
        return INDEX
    if name.endswith(LARGE):
        return content(name)
    return ("{\"name\": \"%s\"}\n" % name).encode()


def refuse(h, org):
    if org == "gated" and h.headers.get("Authorization") != "Bearer good":
        h.answer(401, b"", [("X-Error-Code", "GatedRepo"), ("X-Error-Message", "Access to model is restricted")])
    elif org == "secret":
        h.answer(401, b"")
    elif org == "gone":
        h.answer(404, b"", [("X-Error-Code", "RepoNotFound")])
    else:
        return False
    return True


@route("/api/")
def api(h, rest, query):
    kind, org, name, _, revision = rest.split("/", 4)
    if refuse(h, org):
        return
    if revision not in ("main", "v1", "refs%2Fpr%2F1", COMMIT):
        return h.answer(404, b"", [("X-Error-Code", "RevisionNotFound")])
    files = ["../x"] if org == "evil" else REPOS[name]
    h.answer(200, json.dumps({"id": org + "/" + name, "sha": COMMIT, "siblings": [{"rfilename": f} for f in files]}).encode())


def resolve(h, org, name, revision, path):
    if refuse(h, org):
        return
    if org == "moved":
        return h.answer(307, b"", [("Location", h.path.replace("/moved/", "/ok/"))])
    if path not in REPOS[name] or revision != COMMIT:
        return h.answer(404, b"", [("X-Error-Code", "EntryNotFound")])
    data = hub_content(path)
    if path.endswith(LARGE):
        host = "169.254.169.254" if org == "metadata" else "localhost:%d" % h.server.server_address[1]
        return h.answer(302, b"", [("Location", "http://%s/cdn/%s/%s?Signature=s3cret" % (host, org, path)), ("X-Repo-Commit", COMMIT),
                                   ("X-Linked-Size", str(len(data))), ("X-Linked-ETag", '"%s"' % hashlib.sha256(data).hexdigest())])
    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    h.send_range(data if org != "wrong" else data[:-1] + b"!", '"%s"' % git, [("X-Repo-Commit", COMMIT)])


@route("/cdn/")
def cdn(h, rest, query):
    org, path = rest.split("/", 1)
    data = hub_content(path)
    if org == "wrong":
        data = b"x" + data[1:]
    h.send_range(data, '"cdn"', cut_at=60000 if org == "cut" and count(h.path) < 1 else None)


def top(h, rest, query):
    parts = rest.split("/")
    dataset = parts[0] == "datasets"
    parts = parts[1:] if dataset else parts
    if len(parts) < 5 or parts[2] != "resolve":
        return h.answer(404, b"no such route")
    resolve(h, parts[0], parts[1], parts[3], "/".join(parts[4:]))


for organisation in ("ok", "gated", "secret", "gone", "cut", "moved", "wrong", "evil", "metadata", "datasets"):
    ROUTES["/%s/" % organisation] = (lambda o: lambda h, rest, query: top(h, o + "/" + rest, query))(organisation)
