#!/usr/bin/env bash
# A virtual environment in the user cache with torch, transformers and PEFT for the CPU, and prints its Python.
# The torch wheel expects some 5 GB of CUDA libraries. They are never called here, so small stub libraries stand in for
# them: each symbol that torch leaves undefined becomes a function that reports "no device".
set -euo pipefail
cache=${KAITO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kaito}
venv=$cache/peft
if [ ! -e "$venv/ready" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	pip() { "$venv/bin/pip" install --quiet --disable-pip-version-check "$@" >&2; }
	pip --no-deps torch==2.15.0
	pip typing_extensions sympy networkx jinja2 fsspec filelock numpy
	"$venv/bin/python" - >&2 <<'PY'
import os, re, site, subprocess, sys, tempfile
lib = os.path.join(site.getsitepackages()[0], 'torch', 'lib')
os.chdir(lib)
ours = [f for f in os.listdir('.') if re.match(r'lib(torch|c10|caffe2).*\.so$', f)]
run = lambda *a: subprocess.run(a, capture_output=True, text=True).stdout
needed, versioned, plain = set(), {}, set()
for f in ours:
    needed |= set(re.findall(r'NEEDED.*\[(lib(?:cu|nv|nccl)[^\]]*)\]', run('readelf', '-d', f)))
    for line in run('nm', '-D', '--undefined-only', f).splitlines():
        name = line.split()[-1]
        m = re.match(r'(\w+)@@?(lib(?:cu|nv|nccl)[\w.-]*|NVSHMEM)$', name)
        if m:
            versioned.setdefault(m.group(2), set()).add(m.group(1))
        elif re.match(r'(nccl|cu|nv|nvshmem|cudnn)\w+$', name):
            plain.add(name)
work = tempfile.mkdtemp()
for so in sorted(needed):
    if os.path.exists(so):
        continue
    version = 'NVSHMEM' if so.startswith('libnvshmem_host') else so
    symbols = versioned.get(version, set())
    with open(work + '/stub.c', 'w') as c:
        for s in sorted(symbols):
            c.write(f'long {s}(void) {{ return 100; }}\n')
        if so.startswith('libcudart.so'):
            for s in sorted(plain - symbols):
                c.write(f'__attribute__((weak)) long {s}(void) {{ return 100; }}\n')
    with open(work + '/stub.map', 'w') as m:
        m.write(version + ' {\n' + ('global:\n' + ''.join(s + ';\n' for s in sorted(symbols)) if symbols else '') + '};\n')
    build = ['gcc', '-w', '-shared', '-fPIC', '-Wl,-soname,' + so, '-o', so, work + '/stub.c']
    if subprocess.run(build + ['-Wl,--version-script=' + work + '/stub.map'], capture_output=True).returncode:
        subprocess.run(build, check=True)
PY
	pip transformers==5.23.0 peft==0.21.2 safetensors gguf
	"$venv/bin/python" -c 'import torch, peft; assert torch.eye(2).mm(torch.eye(2)).sum() == 2' >&2
	touch "$venv/ready"
fi
echo "$venv/bin/python"
