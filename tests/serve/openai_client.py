#!/usr/bin/env python3
"""Drives a running `kaito serve` with the OpenAI Python package.

usage: openai_client.py KAITO_BINARY MODEL [--adapter NAME=PATH] [SERVE_FLAGS...]

Starts the binary on a free loopback port, runs every check, stops it with SIGTERM and looks at its exit code.
Exit code 0: all passed; 1: a check failed; 2: wrong usage. Needs: pip install openai
"""
import base64, concurrent.futures, json, re, signal, struct, subprocess, sys, tempfile, threading, time, traceback, urllib.request

import openai

CHECKS = []


def check(f):
    CHECKS.append(f)
    return f


class Server:
    def __init__(self, binary, model, flags):
        self.keys = tempfile.NamedTemporaryFile("w", suffix=".keys")
        self.keys.write("test-key\n")
        self.keys.flush()
        command = [binary, "serve", "--model", model, "--served-model-name", "base", "--host", "127.0.0.1", "--port", "0",
                   "--api-key-file", self.keys.name, *flags]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.lines, self.port = [], None
        ready = threading.Event()

        def read():
            for line in self.process.stderr:
                self.lines.append(line.rstrip())
                m = re.search(r"ready: .*:(\d+) after", line)
                if m:
                    self.port = int(m.group(1))
                    ready.set()
            ready.set()

        threading.Thread(target=read, daemon=True).start()
        if not ready.wait(300) or not self.port:
            self.process.kill()
            sys.exit("the server did not start:\n" + "\n".join(self.lines))
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key="test-key", max_retries=0, timeout=300)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as r:
            return r.read().decode()

    def post(self, path, body):
        return json.loads(self.post_text(path, body))

    def post_text(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json", "Authorization": "Bearer test-key"})
        with urllib.request.urlopen(request, timeout=300) as r:
            return r.read().decode()


MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]


@check
def models_are_listed(s):
    ids = [m.id for m in s.client.models.list()]
    assert ids[0] == "base", ids
    assert s.client.models.retrieve("base").owned_by == "kaito"


@check
def chat_is_greedy_and_repeatable(s):
    a, b = (s.client.chat.completions.create(model="base", messages=MESSAGES, temperature=0, max_tokens=24) for _ in range(2))
    assert a.choices[0].message.role == "assistant" and a.choices[0].message.content == b.choices[0].message.content
    assert a.choices[0].finish_reason in ("stop", "length")
    assert a.usage.total_tokens == a.usage.prompt_tokens + a.usage.completion_tokens and 0 < a.usage.completion_tokens <= 24


@check
def stream_gives_the_same_text(s):
    whole = s.client.chat.completions.create(model="base", messages=MESSAGES, temperature=0, max_tokens=24)
    chunks = list(s.client.chat.completions.create(model="base", messages=MESSAGES, temperature=0, max_tokens=24, stream=True,
                                                   stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content, (text, whole.choices[0].message.content)
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


@check
def seeds_make_sampling_repeatable(s):
    ask = lambda seed: s.client.chat.completions.create(model="base", messages=MESSAGES, temperature=1.5, seed=seed, max_tokens=16).choices[0].message.content
    first = ask(7)
    assert first == ask(7)
    assert any(ask(seed) != first for seed in (8, 9, 10))


@check
def n_choices_are_numbered(s):
    r = s.client.chat.completions.create(model="base", messages=MESSAGES, n=3, temperature=1, seed=1, max_tokens=8)
    assert [c.index for c in r.choices] == [0, 1, 2]


@check
def logprobs_are_probabilities(s):
    r = s.client.chat.completions.create(model="base", messages=MESSAGES, temperature=0, max_tokens=6, logprobs=True, top_logprobs=3)
    items = r.choices[0].logprobs.content
    assert len(items) == r.usage.completion_tokens
    for item in items:
        assert item.logprob <= 0 and len(item.top_logprobs) == 3
        assert item.top_logprobs[0].logprob >= item.top_logprobs[1].logprob
        assert abs(item.top_logprobs[0].logprob - item.logprob) < 1e-4  # greedy takes the best
    joined = b"".join(bytes(i.bytes) for i in items).decode(errors="replace")
    assert r.choices[0].message.content.strip()[:4] in joined, joined


@check
def stop_strings_end_the_text(s):
    whole = s.client.completions.create(model="base", prompt="One, two, three,", temperature=0, max_tokens=24).choices[0].text
    cut = whole[len(whole) // 2:][:3]
    r = s.client.completions.create(model="base", prompt="One, two, three,", temperature=0, max_tokens=24, stop=[cut])
    assert r.choices[0].text == whole[:whole.index(cut)] and r.choices[0].finish_reason == "stop"


@check
def completions_echo_logprobs_and_batch(s):
    r = s.client.completions.create(model="base", prompt=["Hello", "The sky is"], temperature=0, max_tokens=5, logprobs=2, echo=True)
    assert [c.index for c in r.choices] == [0, 1] and r.choices[1].text.startswith("The sky is")
    lp = r.choices[1].logprobs
    assert len(lp.tokens) == len(lp.token_logprobs) == len(lp.text_offset) == len(lp.top_logprobs)
    assert lp.token_logprobs[0] is None and all(x <= 0 for x in lp.token_logprobs[1:])
    stream = s.client.completions.create(model="base", prompt="The sky is", temperature=0, max_tokens=5, stream=True)
    text = "".join(c.choices[0].text for c in stream)
    assert "The sky is" + text == r.choices[1].text


@check
def a_batch_gives_what_single_requests_give(s):
    prompts = [f"Number {i} is" for i in range(6)]
    single = [s.client.completions.create(model="base", prompt=p, temperature=0, max_tokens=8).choices[0].text for p in prompts]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        at_once = list(pool.map(lambda p: s.client.completions.create(model="base", prompt=p, temperature=0, max_tokens=8).choices[0].text, prompts))
    same = sum(a == b for a, b in zip(single, at_once))
    assert same >= 5, (single, at_once)  # quantised activations may flip a near tie


@check
def responses_work_whole_and_streamed(s):
    r = s.client.responses.create(model="base", input="Say hello.", temperature=0, max_output_tokens=12)
    assert r.status in ("completed", "incomplete") and r.output_text and r.usage.output_tokens > 0
    events = list(s.client.responses.create(model="base", input="Say hello.", temperature=0, max_output_tokens=12, stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == r.output_text
    assert events[0].type == "response.created" and events[-1].type in ("response.completed", "response.incomplete")


@check
def embeddings_have_length_one_in_both_encodings(s):
    r = s.client.embeddings.create(model="base", input=["a cat", "a kitten", "tax law"], encoding_format="float")
    vectors = [d.embedding for d in r.data]
    for v in vectors:
        assert abs(sum(x * x for x in v) - 1) < 1e-3
    raw = s.post("/v1/embeddings", {"model": "base", "input": "a cat", "encoding_format": "base64"})["data"][0]["embedding"]
    raw = base64.b64decode(raw)
    assert all(abs(a - b) < 1e-5 for a, b in zip(struct.unpack(f"<{len(raw) // 4}f", raw), vectors[0]))
    assert len(s.client.embeddings.create(model="base", input="a cat").data[0].embedding) == len(vectors[0])


@check
def tokenize_and_detokenize_agree(s):
    t = s.post("/tokenize", {"model": "base", "prompt": "Hello, wörld!", "add_special_tokens": False})
    assert t["count"] == len(t["tokens"])
    assert s.post("/detokenize", {"model": "base", "tokens": t["tokens"]})["prompt"] == "Hello, wörld!"


@check
def legacy_chat_answers(s):
    r = s.post("/chat", {"prompt": "The capital of France is", "generate_kwargs": {"max_new_tokens": 8, "do_sample": False}})
    assert r["Result"].startswith("The capital of France is") and len(r["Result"]) > 24


def fails(kind, call):
    try:
        call()
    except kind as e:
        return e
    raise AssertionError(f"no {kind.__name__}")


@check
def errors_have_openais_types(s):
    create = s.client.chat.completions.create
    e = fails(openai.NotFoundError, lambda: create(model="nope", messages=MESSAGES))
    assert e.param == "model" and "nope" in e.message
    e = fails(openai.BadRequestError, lambda: create(model="base", messages=MESSAGES, temperature=-3))
    assert e.param == "temperature"
    fails(openai.BadRequestError, lambda: create(model="base", messages=[]))
    fails(openai.BadRequestError, lambda: create(model="base", messages=MESSAGES, response_format={"type": "json_object"}))
    fails(openai.BadRequestError, lambda: create(model="base", messages=[{"role": "user", "content": "word " * 100000}]))
    fails(openai.AuthenticationError, lambda: s.client.with_options(api_key="wrong").models.list())
    e = fails(openai.APIStatusError, lambda: create(model="base", messages=MESSAGES, extra_body={"timeout": 0.001}))
    assert e.status_code == 504


@check
def a_client_that_leaves_frees_its_slot(s):
    stream = s.client.chat.completions.create(model="base", messages=MESSAGES, max_tokens=200, stream=True, extra_body={"ignore_eos": True})
    for i, _ in enumerate(stream):
        if i == 2:
            break
    stream.close()
    until = time.time() + 30
    while "vllm:num_requests_running" in (m := s.get("/metrics")) and not re.search(r"vllm:num_requests_running\{.*\} 0\.0", m):
        assert time.time() < until, "the sequence still runs"
        time.sleep(0.05)


@check
def metrics_and_documents_are_there(s):
    text = s.get("/metrics")
    for name in ("vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:time_to_first_token_seconds_bucket", "vllm:request_success_total"):
        assert name in text, name
    assert "/v1/chat/completions" in json.loads(s.get("/openapi.json"))["paths"]
    assert json.loads(s.get("/health")) and json.loads(s.get("/version"))["version"]


def adapters_are_chosen_by_name(s, names):
    for name in names:
        assert s.client.models.retrieve(name).parent == "base"
        r = s.client.chat.completions.create(model=name, messages=MESSAGES, temperature=0, max_tokens=12)
        assert r.model == name
        again = {"lora_name": "again", "lora_path": s.client.models.retrieve(name).root}
        assert s.post_text("/v1/load_lora_adapter", again).startswith("Success")
        other = s.client.chat.completions.create(model="again", messages=MESSAGES, temperature=0, max_tokens=12)
        assert other.choices[0].message.content == r.choices[0].message.content
        assert s.post_text("/v1/unload_lora_adapter", again).startswith("Success")
        fails(openai.NotFoundError, lambda: s.client.models.retrieve("again"))


def a_port_in_use_is_named(s, binary, model):
    r = subprocess.run([binary, "serve", "--model", model, "--host", "127.0.0.1", "--port", str(s.port)], capture_output=True, text=True, timeout=120)
    assert r.returncode == 10 and f"port {s.port} is in use" in r.stderr, (r.returncode, r.stderr)


def sigterm_drains(s):
    """What runs is finished, new requests get 503, the exit code is 0."""
    stream = s.client.completions.create(model="base", prompt="Once", max_tokens=100, stream=True, extra_body={"ignore_eos": True})
    events = iter(stream)
    next(events)
    s.process.send_signal(signal.SIGTERM)
    until = time.time() + 30
    while not any("terminated" in line for line in s.lines):
        assert time.time() < until, "no sign of the signal"
        time.sleep(0.005)
    try:
        s.client.models.list()  # answered without a worker, also now
        e = fails(openai.InternalServerError, lambda: s.client.completions.create(model="base", prompt="x"))
        assert e.status_code == 503, e
    except openai.APIConnectionError:
        pass  # a quick model has finished and the server is gone
    last = None
    for last in events:
        pass
    assert last.choices[0].finish_reason == "length"
    code = s.process.wait(60)
    assert code == 0, f"exit code {code}"


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    flags = sys.argv[3:]
    s = Server(sys.argv[1], sys.argv[2], flags)
    failed = 0
    names = [flags[i + 1].split("=")[0] for i, f in enumerate(flags) if f == "--adapter"]
    checks = [(f.__name__, lambda f=f: f(s)) for f in CHECKS]
    checks.append(("adapters_are_chosen_by_name", lambda: adapters_are_chosen_by_name(s, names)))
    checks.append(("a_port_in_use_is_named", lambda: a_port_in_use_is_named(s, sys.argv[1], sys.argv[2])))
    checks.append(("sigterm_drains", lambda: sigterm_drains(s)))
    for name, run in checks:
        begun = time.time()
        try:
            run()
            print(f"ok      {name} ({time.time() - begun:.1f} s)", flush=True)
        except Exception as e:
            failed += 1
            line = traceback.extract_tb(e.__traceback__)[-1]
            print(f"FAILED  {name}: {type(e).__name__}: {e} at line {line.lineno}: {line.line}", flush=True)
    if s.process.poll() is None:
        s.process.kill()
    if failed:
        print("\n".join(s.lines[-20:]))
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
