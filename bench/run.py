#!/usr/bin/env python3
"""Ours beside the peers, in alternating rounds; prints the README's table as Markdown. Called by bench/run.sh."""
import argparse, datetime, json, os, platform, re, statistics, subprocess, sys, time

parser = argparse.ArgumentParser()
parser.add_argument('--model', required=True)
parser.add_argument('--llamacpp', default='')
parser.add_argument('--peft', default='')
parser.add_argument('--rounds', type=int, default=int(os.environ.get('ROUNDS', '5')))
parser.add_argument('--threads', default=os.environ.get('THREADS', '2'))
options = parser.parse_args()
KAITO, TUNE_STEP = 'build/release/kaito', 'build/release/bench/tune_step'
PROMPT_IDS = json.load(open('tests/golden/numerics/infer_f32.json'))['prompts'][0]['ids']
QUESTION = json.load(open('tests/golden/numerics/infer_f32.json'))['prompts'][0]['messages'][0]['content']
samples = {}


def note(row, side, value):
    samples.setdefault(row, {}).setdefault(side, []).append(value)


def output_json(command, **extra):
    run = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, THREADS=options.threads, **extra))
    if run.returncode:
        sys.exit(f'{command[0]} exited with {run.returncode}: {run.stderr[-400:]}')
    return json.loads(run.stdout[run.stdout.index('{'):])


def first_token(command):
    """Milliseconds from process start to the first byte of its output, and the resident megabytes at that moment."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.read(1)
    elapsed = (time.perf_counter() - start) * 1000
    try:
        status = open(f'/proc/{process.pid}/status').read()
        resident = [int(line.split()[1]) / 1000 for line in status.split('\n') if line.startswith('VmRSS')]
    except OSError:
        resident = []
    process.stdout.read()
    process.wait()
    return elapsed, resident[0] if resident else float('nan')


def ours():
    result = output_json([KAITO, 'bench', '--model', options.model, '--json', '--rounds', '1', '--threads', options.threads])
    for row in result['rows']:
        if row['unit'] == 'tok/s':
            note(row['name'], 'kaito', row['value'])
            if row['limit'] > 0:
                note(row['name'], 'limit', row['limit'])
    ms, mb = first_token([KAITO, 'generate', '--model', options.model, '--chat', QUESTION, '--max-tokens', '24', '--max-model-len', '1024', '--threads', options.threads])
    note('process start to first token, 37-token prompt', 'kaito', ms)
    note('resident memory after the first token', 'kaito', mb)
    for batch in (1, 4):
        line = subprocess.run([TUNE_STEP, options.model, '--threads', options.threads, '--batches', str(batch), '--modules', 'all', '--steps', '3'],
                              capture_output=True, text=True, check=True).stdout
        note(f'LoRA step, rank 8, 7 modules, 512 tokens, batch {batch}', 'kaito', float(re.search(r'threads: (\d+) tok/s', line).group(1)))
        note(f'peak memory of that, batch {batch}', 'kaito', float(re.search(r'peak (\d+) MB', line).group(1)))


def llamacpp():
    result = output_json([options.llamacpp, options.model, options.threads, 'bench'])
    note('prefill, 512 tokens', 'llama.cpp', result['prefill_512'])
    note('decode, 1 sequence', 'llama.cpp', result['decode_1'])
    note('decode, 8 sequences', 'llama.cpp', result['decode_8'])
    ms, mb = first_token([options.llamacpp, options.model, options.threads, 'first'] + [str(i) for i in PROMPT_IDS])
    note('process start to first token, 37-token prompt', 'llama.cpp', ms)
    note('resident memory after the first token', 'llama.cpp', mb)


def peft(batch):
    result = output_json([options.peft, 'bench/peer_peft.py', options.model, str(batch), '512', '3', 'all7'])
    note(f'LoRA step, rank 8, 7 modules, 512 tokens, batch {batch}', 'PEFT bf16', result['tokens_per_second'])
    note(f'peak memory of that, batch {batch}', 'PEFT bf16', result['peak_rss_mb'])


for number in range(options.rounds):
    print(f'round {number + 1} of {options.rounds}', file=sys.stderr)
    ours()
    if options.llamacpp:
        llamacpp()
    if options.peft and number < 2:
        peft(1)
        peft(4)

UNITS = {'process start': ' ms', 'resident': ' MB', 'peak': ' MB'}


def unit(row):
    return next((u for start, u in UNITS.items() if row.startswith(start)), ' tok/s')


def cell(row, side):
    values = [v for v in samples[row].get(side, []) if v == v]
    if not values:
        return '–'
    # The machine is shared: its limit is the best of the rounds, everything else the median.
    text = f'{max(values) if side == "limit" else statistics.median(values):,.0f}{unit(row)}'
    return text + (f' ({min(values):,.0f}–{max(values):,.0f})' if side != 'limit' else '')


def ratio(row):
    peer = next((s for s in ('llama.cpp', 'PEFT bf16') if samples[row].get(s)), None)
    if not peer:
        return '–'
    a, b = statistics.median(samples[row]['kaito']), statistics.median(samples[row][peer])
    return f'{a / b:.2f} ×'


cpu = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), platform.machine())
print(f'{datetime.date.today()}, {cpu}, {os.cpu_count()} CPUs, {options.threads} threads, medians (min–max) of {options.rounds} alternating rounds\n')
print('| work | kaito | llama.cpp | PEFT bf16 | limit of this machine | kaito ÷ peer |\n| --- | --- | --- | --- | --- | --- |')
for row in samples:
    print(f'| {row} | {cell(row, "kaito")} | {cell(row, "llama.cpp")} | {cell(row, "PEFT bf16")} | {cell(row, "limit")} | {ratio(row)} |')
size = os.path.getsize(KAITO)
stripped = subprocess.run(['strip', '-o', '/tmp/kaito-stripped', KAITO]).returncode == 0 and os.path.getsize('/tmp/kaito-stripped')
print(f'| the binary, stripped | {(stripped or size) / 1e6:.1f} MB | 6.3 MB (libraries) | 1.4 GB (torch for the CPU alone) | | |')
