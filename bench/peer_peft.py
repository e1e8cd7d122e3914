#!/usr/bin/env python3
"""LoRA training step of torch + PEFT on the CPU: the peer of `kaito bench` and bench/tune_step.
usage: peer_peft.py MODEL.gguf BATCH TOKENS STEPS [kaito|all7]; prints one JSON line.
Plain loop, AdamW, bf16 base, LoRA weights float32 as PEFT makes them, no checkpointing, sdpa attention."""
import json, os, resource, sys, time
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

path, batch, tokens, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
which = sys.argv[5] if len(sys.argv) > 5 else 'all7'
torch.set_num_threads(int(os.environ.get('THREADS', '2')))
torch.manual_seed(7)
model = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.bfloat16)
modules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] if which == 'all7' else ['q_proj', 'v_proj']
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16 if which == 'all7' else 8, lora_dropout=0.0, target_modules=modules))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
times, losses = [], []
for step in range(steps + 1):
    ids = torch.randint(17, 49152, (batch, tokens))
    start = time.perf_counter()
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if step:  # the first step warms up
        times.append(time.perf_counter() - start)
    losses.append(round(loss.item(), 4))
times.sort()
median = times[len(times) // 2]
print(json.dumps({'peer': 'peft', 'batch': batch, 'tokens': tokens, 'seconds_per_step': round(median, 4), 'tokens_per_second': round(batch * tokens / median, 1),
                  'peak_rss_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, 'losses': losses}))
