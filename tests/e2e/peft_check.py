#!/usr/bin/env python3
"""Adapters travel both ways between kaito and the Python PEFT library with the same logits.
usage: peft_check.py KAITO_BINARY"""
import json, os, re, signal, subprocess, sys, tempfile, time, urllib.request
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from ports import free_port

KAITO = os.path.abspath(sys.argv[1])
ROOT = os.getcwd()
TOLERANCE = 1e-4  # log-probabilities, float32 path on both sides
MODELS = ['llama-gqa', 'llama3-rope', 'mistral-swa', 'qwen2-bias', 'qwen3-qknorm', 'phi3-4k', 'phi3-longrope', 'phi4mini-partial']
MESSAGES = [{'role': 'user', 'content': 'The quick brown fox jumps over 13 lazy dogs.'}]
ALL_LINEAR = re.compile(r'_proj$')


class Server:
    """kaito serve on a loopback port, stopped by its own pid."""
    def __init__(self, model, adapters):
        self.port = free_port()
        args = [KAITO, 'serve', '--model', model, '--dtype', 'float32', '--host', '127.0.0.1', '--port', str(self.port), '--served-model-name', 'base', '--threads', '2']
        for name, path in adapters.items():
            args += ['--adapter', f'{name}={path}']
        self.process = subprocess.Popen(args)

    def __enter__(self):
        end = time.monotonic() + 180
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f'http://127.0.0.1:{self.port}/health', timeout=5)
                return self
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(f'kaito serve exited with {self.process.returncode}')
                time.sleep(0.1)
        raise SystemExit('kaito serve did not become healthy in 180 s')

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=120) != 0:
            raise SystemExit(f'kaito serve exited with {self.process.returncode} after SIGTERM')

    def top_logprobs(self, model):
        # The chat API lists alternatives; the completions API keys them by text, and several byte tokens share one.
        body = {'model': model, 'messages': MESSAGES, 'max_tokens': 1, 'temperature': 0, 'logprobs': True, 'top_logprobs': 20}
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/v1/chat/completions', json.dumps(body).encode(), {'Content-Type': 'application/json'})
        answer = json.load(urllib.request.urlopen(request, timeout=300))
        return [entry['logprob'] for entry in answer['choices'][0]['logprobs']['content'][0]['top_logprobs']]


def reference(model, ids):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1].float()
    return torch.log_softmax(logits, -1).topk(20).values.tolist()


def compare(what, ours, theirs):
    worst = max(abs(a - b) for a, b in zip(ours, theirs))
    print(f'{what}: worst difference of {len(ours)} log-probabilities {worst:.2e}')
    if len(ours) != len(theirs) or worst > TOLERANCE:
        raise SystemExit(f'{what}: {ours} against {theirs}')


def check(name, work):
    path = f'{ROOT}/tests/golden/tiny/{name}'
    tokenizer = AutoTokenizer.from_pretrained(path)
    ids = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=True, return_dict=False)
    load = lambda: AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation='eager').eval()
    data = f'{work}/{name}.jsonl'
    with open(data, 'w') as f:
        for i in range(16):
            f.write(json.dumps({'messages': [{'role': 'user', 'content': f'What is {i} plus {i}?'}, {'role': 'assistant', 'content': f'It is {2 * i}.'}]}) + '\n')
    config = f'{work}/{name}.yaml'
    with open(config, 'w') as f:
        f.write('training_config:\n  ModelConfig:\n    torch_dtype: "float32"\n  LoraConfig:\n    r: 8\n    lora_alpha: 16\n    target_modules: all-linear\n'
                '  TrainingArguments:\n    learning_rate: 5e-3\n    max_steps: 6\n    per_device_train_batch_size: 2\n    save_strategy: "no"\n  DatasetConfig:\n    train_test_split: 1\n')
    tuned = f'{work}/{name}-tuned'
    subprocess.run([KAITO, 'tune', '--config', config, '--model', path, '--data', data, '--output', tuned, '--method', 'lora', '--threads', '2', '--metrics-port', '0'], check=True)
    # Theirs: random B as well, so that a wrong scale or order shows.
    base = load()
    modules = sorted({n.split('.')[-1] for n, m in base.named_modules() if isinstance(m, torch.nn.Linear) and ALL_LINEAR.search(n)})
    torch.manual_seed(3)
    theirs = get_peft_model(base, LoraConfig(r=4, lora_alpha=12, use_rslora=True, target_modules=modules)).eval()
    with torch.no_grad():
        for key, value in theirs.named_parameters():
            if 'lora_B' in key:
                value.normal_(0, 0.1)
    theirs.save_pretrained(f'{work}/{name}-peft')
    with Server(path, {'tuned': tuned, 'peft': f'{work}/{name}-peft'}) as server:
        plain = reference(load(), ids)
        compare(f'{name} base', server.top_logprobs('base'), plain)
        mine = reference(PeftModel.from_pretrained(load(), tuned).eval(), ids)
        if max(abs(a - b) for a, b in zip(mine, plain)) < 1e-3:
            raise SystemExit(f'{name}: the tuned adapter changes nothing')
        compare(f'{name} tuned by kaito', server.top_logprobs('tuned'), mine)
        compare(f'{name} written by PEFT', server.top_logprobs('peft'), reference(theirs, ids))


with tempfile.TemporaryDirectory() as work:
    for name in MODELS:
        check(name, work)
