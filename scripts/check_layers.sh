#!/usr/bin/env bash
# Checks the layer rule: a room includes only rooms of a lower layer (or of its own), and the control half and
# the engine half never include each other. The table is the map; ARCHITECTURE.md explains it.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 - <<'PY'
import os, re, sys
# room: (layer, half)
ROOMS = {
    'base': (0, 'both'), 'codec': (1, 'both'), 'tensor': (1, 'engine'), 'http': (2, 'both'), 'ops': (2, 'engine'),
    'weights': (2, 'engine'), 'token': (3, 'engine'), 'data': (3, 'engine'), 'oci': (3, 'both'), 'hub': (3, 'both'),
    'contract': (3, 'both'), 'model': (3, 'engine'), 'engine': (4, 'engine'), 'tune': (4, 'engine'), 'serve': (5, 'engine'),
    'kube': (3, 'control'), 'catalog': (4, 'control'), 'provision': (5, 'control'), 'crd': (5, 'control'), 'gateway': (5, 'control'),
    'operator': (4, 'control'), 'cloud': (5, 'control'), 'azure': (6, 'control'), 'aws': (6, 'control'), 'simulate': (6, 'control'), 'nodes': (7, 'control'),
    'workload': (6, 'control'), 'admission': (6, 'control'), 'control': (7, 'control'), 'cluster': (7, 'control'), 'cmd': (8, 'both'),
}
bad = 0
for room in sorted(os.listdir('src')):
    if not os.path.isdir('src/' + room):
        continue
    if room not in ROOMS:
        print(f'src/{room}: unknown room; add it to scripts/check_layers.sh and ARCHITECTURE.md'); bad += 1
        continue
    for name in sorted(os.listdir('src/' + room)):
        if not name.endswith(('.c', '.h')):
            continue
        path = f'src/{room}/{name}'
        for number, line in enumerate(open(path, encoding='utf-8'), 1):
            m = re.match(r'\s*#\s*include\s+"([a-z_0-9]+)/', line)
            if not m or m.group(1) == room or m.group(1) not in ROOMS:
                continue
            (layer, half), (other, other_half) = ROOMS[room], ROOMS[m.group(1)]
            if other >= layer:
                print(f'{path}:{number}: {room} (L{layer}) includes {m.group(1)} (L{other}); only lower layers may be included'); bad += 1
            elif room != 'cmd' and half != other_half and other_half != 'both':
                print(f'{path}:{number}: the {half} half includes {m.group(1)} of the {other_half} half'); bad += 1
sys.exit(1 if bad else 0)
PY
