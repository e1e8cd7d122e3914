"""Starts etcd and kube-apiserver for test_real_api.c, and obeys it: one word a line on stdin, one answer a line on stdout.

First line out: "ready FOLDER" or "skip REASON". FOLDER holds the kubeconfigs: `token` (a token), `cert` (a client certificate, the CA as
data, the server under another name), `stranger` (a CA that did not sign the server's certificate), `misnamed` (another server name), `insecure`.
Words: kill, start, compact (history before now is forgotten), quit.
"""
import base64
import json
import os
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
import cluster as clusters  # noqa: E402


def kubeconfig(file, cluster, user):
    file.write_text(json.dumps({
        "current-context": "x", "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "default"}}]}))
    file.chmod(0o600)


def data(file):
    return base64.b64encode(file.read_bytes()).decode()


def write_kubeconfigs(c):
    d = c.dir
    clusters.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/O=system:masters/CN=cert-user",
                     "-keyout", d / "user.key", "-out", d / "user.csr")
    clusters.openssl("x509", "-req", "-in", d / "user.csr", "-CA", d / "ca.crt", "-CAkey", d / "ca.key", "-CAcreateserial", "-days", "30", "-out", d / "user.crt")
    clusters.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=other",
                     "-keyout", d / "other.key", "-out", d / "other.crt")
    token = {"token": c.tokens["admin"]}
    kubeconfig(d / "token", {"server": c.server, "certificate-authority": "ca.crt"}, token)
    kubeconfig(d / "cert", {"server": c.server, "certificate-authority-data": data(d / "ca.crt"), "tls-server-name": "kubernetes.default.svc"},
               {"client-certificate": "user.crt", "client-key-data": data(d / "user.key")})
    kubeconfig(d / "stranger", {"server": c.server, "certificate-authority": "other.crt"}, token)
    kubeconfig(d / "misnamed", {"server": c.server, "certificate-authority": "ca.crt", "tls-server-name": "elsewhere"}, token)
    kubeconfig(d / "insecure", {"server": c.server, "insecure-skip-tls-verify": True}, token)


def compact(c):
    version = c.admin.must("GET", "/api/v1/namespaces")["metadata"]["resourceVersion"]
    request = urllib.request.Request(f"http://127.0.0.1:{c.etcd_port}/v3/kv/compaction", json.dumps({"revision": version, "physical": True}).encode())
    urllib.request.urlopen(request, timeout=30).read()


def kill(c):
    process = c.processes.pop("kube-apiserver")
    process.kill()
    process.wait()


def say(text):
    print(text, flush=True)


def main():
    try:
        clusters.binaries()
    except clusters.Skip as e:
        say(f"skip {e}")
        return
    with clusters.Cluster(managers=False, audit=False, crds=False) as c:
        write_kubeconfigs(c)
        say(f"ready {c.dir}")
        words = {"kill": kill, "start": clusters.Cluster.start_apiserver, "compact": compact}
        for line in sys.stdin:
            if line.strip() == "quit":
                break
            words[line.strip()](c)
            say("done")


if __name__ == "__main__":
    os.environ.pop("https_proxy", None)
    main()
