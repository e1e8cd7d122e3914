#!/usr/bin/env python3
"""Plays a kubelet for the native runtime's pods: native_pods.py KAITO NATIVE_OBJECTS MODEL.gguf.

Volumes are folders of a temporary one, and every path of a mount is rewritten to its folder, in commands and environment; a container
gets nothing else of this machine's environment. The registry asks for a password, which only the Workspace's secrets know."""
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from ports import free_port

KAITO, OBJECTS, MODEL = (os.path.abspath(p) for p in sys.argv[1:4])
USER, WORD, HASH = 'kaito', 's3cret', '$2y$05$72Y3l/AHD5MVWQHOEHoEeel1.xcBbxO01TftTyoch8iPCaJnSAsFK'
ROOT = tempfile.mkdtemp(prefix='kaito-native-')
CONFIG = """training_config:
  ModelConfig: {torch_dtype: bfloat16}
  QuantizationConfig: {load_in_4bit: true, bnb_4bit_quant_type: nf4}
  LoraConfig: {r: 4, lora_alpha: 8, target_modules: [q_proj, v_proj]}
  TrainingArguments: {output_dir: /mnt/out, max_steps: 16, per_device_train_batch_size: 1, max_length: 64, logging_steps: 1, learning_rate: 0.01, seed: 1}
  DatasetConfig: {train_test_split: 1}
"""
processes = []


def say(text):
    print(f'--- {text}', flush=True)


def wait_for(url, process, seconds=180):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, f'ended with {process.returncode} before {url} answered'
        try:
            return urllib.request.urlopen(url, timeout=5).read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise AssertionError(f'{url} does not answer')


def run(command, env):
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, (command[1:], done.returncode, done.stdout)


def start(command, **options):
    process = subprocess.Popen(command, **options)
    processes.append(process)
    return process


class Pod:
    """A pod template; volumes named in `kept` outlive the pod, as claims do."""

    def __init__(self, template, secrets, config, kept):
        self.spec, self.folder = template['spec'], tempfile.mkdtemp(dir=ROOT)
        self.volumes = {}
        for volume in self.spec['volumes']:
            self.volumes[volume['name']] = self.make(volume, secrets, config, kept)

    def make(self, volume, secrets, config, kept):
        if 'persistentVolumeClaim' in volume:
            return kept[volume['persistentVolumeClaim']['claimName']]
        folder = os.path.join(self.folder, volume['name'])
        os.makedirs(folder)
        files = {}
        for source in volume.get('projected', {}).get('sources', []):
            for item in source['secret']['items']:
                files[item['path']] = secrets[source['secret']['name']][item['key']]
        if 'configMap' in volume:
            files = config
        for name, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            with open(os.path.join(folder, name), 'w') as f:
                f.write(text)
        return folder

    def words(self, container, port=None):
        mounts = sorted(((m['mountPath'], self.volumes[m['name']]) for m in container['volumeMounts']), key=lambda m: -len(m[0]))

        def rewrite(text):
            for path, folder in mounts:
                for prefix in ('', text.split('=', 1)[0] + '=' if '=' in text else ''):
                    if text == prefix + path or text.startswith(prefix + path + '/'):
                        return prefix + folder + text[len(prefix + path):]
            return text
        assert container['command'][0] == 'kaito', container['command']
        command = [KAITO] + [rewrite(w) for w in container['command'][1:]]
        if port is not None:
            command[command.index('--port') + 1] = str(port)
        if command[1] == 'tune':
            command += ['--metrics-port', '0']
        env = {e['name']: rewrite(e['value']) for e in container.get('env', []) if 'value' in e}
        env['KAITO_TERMINATION_LOG'] = os.path.join(self.folder, container['name'] + '.termination')
        open(env['KAITO_TERMINATION_LOG'], 'w').close()
        return command, env

    def run_inits(self):
        for container in self.spec.get('initContainers', []):
            command, env = self.words(container)
            run(command, env)

    def failing_init(self):
        """How the first init container ends, which is expected to fail."""
        command, env = self.words(self.spec['initContainers'][0])
        code = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        with open(env['KAITO_TERMINATION_LOG']) as f:
            return code, json.load(f)

    def start_main(self, port=None, output=subprocess.PIPE):
        command, env = self.words(self.spec['containers'][0], port)
        return start(command, env=env, stdout=output, stderr=subprocess.STDOUT, text=True)

    def termination(self):
        with open(os.path.join(self.folder, self.spec['containers'][0]['name'] + '.termination')) as f:
            return json.load(f)


def start_registry():
    port = free_port()
    for name, text in (('htpasswd', f'{USER}:{HASH}\n'), ('registry.yml', f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {ROOT}/registry}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {ROOT}/htpasswd}}}}
""")):
        with open(os.path.join(ROOT, name), 'w') as f:
            f.write(text)
    process = start(['docker-registry', 'serve', f'{ROOT}/registry.yml'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while time.monotonic() < until and socket.socket().connect_ex(('127.0.0.1', port)) != 0:
        assert process.poll() is None, 'docker-registry ended'
        time.sleep(0.05)
    return f'127.0.0.1:{port}'


def push(path, image, docker):
    run([KAITO, 'push', path, image, '--kind', 'model'], {'DOCKER_CONFIG': docker, 'KAITO_STORE': f'{ROOT}/store'})


def objects(workspace):
    paths = []
    for name, value in (('workspace', workspace), ('config', {'metadata': {'name': 'mine'}, 'data': {'training_config.yaml': CONFIG}})):
        paths.append(os.path.join(ROOT, name + '.json'))
        with open(paths[-1], 'w') as f:
            json.dump(value, f)
    return json.loads(subprocess.run([OBJECTS, *paths], check=True, capture_output=True, text=True).stdout)


def workspace(registry, output):
    return {'apiVersion': 'kaito.sh/v1beta1', 'kind': 'Workspace',
            'metadata': {'name': 'tuned', 'namespace': 'default', 'uid': 'u', 'annotations': {'kaito.sh/runtime': 'native'}},
            'resource': {'labelSelector': {'matchLabels': {'app': 'x'}}},
            'tuning': {'preset': {'name': 'smollm2-135m-instruct', 'presetOptions': {'image': f'{registry}/models/smollm2:1', 'imagePullSecrets': ['pull']}},
                       'method': 'QLoRA', 'config': 'mine', 'input': {'image': f'{registry}/data/questions:1', 'imagePullSecrets': ['pull']}, 'output': output}}


def tune(made, secrets, kept, interrupt):
    pod = Pod(made['job']['spec']['template'], secrets, {'training_config.yaml': CONFIG}, kept)
    pod.run_inits()
    # A socket with the least of room: the process waits after some five lines that nobody has read, and cannot run ahead of its interruption.
    ours, its = socket.socketpair()
    its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    with its:
        main = pod.start_main(output=its)
    lines = []
    for line in ours.makefile():
        lines.append(line)
        if interrupt and line.startswith('step 2/'):
            main.send_signal(signal.SIGTERM)
    ours.close()
    code = main.wait()
    message = pod.termination()
    assert message['exitCode'] == code, (message, lines)
    return code, message, ''.join(lines)


def ask(port, body):
    request = urllib.request.Request(f'http://127.0.0.1:{port}/chat', json.dumps(body).encode(), {'Content-Type': 'application/json'})
    return json.load(urllib.request.urlopen(request, timeout=300))['Result']


def serve(made, secrets, kept):
    pod = Pod(made['statefulset']['spec']['template'], secrets, {}, kept)
    pod.run_inits()
    port = free_port()
    process = pod.start_main(port)
    wait_for(f'http://127.0.0.1:{port}/health', process)
    return port, process


def main():
    registry = start_registry()
    docker = json.dumps({'auths': {registry: {'auth': base64.b64encode(f'{USER}:{WORD}'.encode()).decode()}}})
    secrets = {'pull': {'.dockerconfigjson': docker}, 'push': {'.dockerconfigjson': docker}}
    os.makedirs(f'{ROOT}/docker')
    with open(f'{ROOT}/docker/config.json', 'w') as f:
        f.write(docker)
    os.makedirs(f'{ROOT}/data')
    with open(f'{ROOT}/data/questions.jsonl', 'w') as f:
        for i in range(8):
            f.write(json.dumps({'messages': [{'role': 'user', 'content': f'question {i}'}, {'role': 'assistant', 'content': 'forty-two'}]}) + '\n')
    say('model and data as images')
    push(MODEL, f'{registry}/models/smollm2:1', f'{ROOT}/docker')
    push(f'{ROOT}/data', f'{registry}/data/questions:1', f'{ROOT}/docker')

    say('a tuning Job with an output volume, evicted after two steps, and its next pod')
    kept = {'out': os.path.join(ROOT, 'claim')}
    os.makedirs(kept['out'])
    made = objects(workspace(registry, {'volumeSource': {'persistentVolumeClaim': {'claimName': 'out'}}}))
    code, message, log = tune(made, secrets, kept, interrupt=True)
    assert code == 21 and message['kind'] == 'saved', (code, message, log)
    code, message, log = tune(made, secrets, kept, interrupt=False)
    assert code == 0 and 'step 1/' not in log and 'step 16/16' in log, log
    say('the endpoint that mounts the volume')
    port, process = serve(made, secrets, kept)
    answer = ask(port, {'prompt': 'question 3', 'apply_chat_template': True, 'return_full_text': False, 'generate_kwargs': {'max_new_tokens': 8, 'do_sample': False}})
    models = [m['id'] for m in json.loads(wait_for(f'http://127.0.0.1:{port}/v1/models', process))['data']]
    assert models == ['smollm2-135m-instruct', 'tuned'], models
    print(f'question 3 -> {answer!r}')
    process.terminate()
    assert process.wait(120) == 0

    say('weights that the pull secret does not open')
    wrong = {name: {'.dockerconfigjson': '{"auths": {}}'} for name in secrets}
    code, message = Pod(made['job']['spec']['template'], wrong, {}, kept).failing_init()
    assert code == 11 and message['kind'] == 'denied' and 'models/smollm2' in message['message'], (code, message)

    say('a tuning Job that pushes an image, with refused and with right credentials')
    made = objects(workspace(registry, {'image': f'{registry}/acme/adapter:1', 'imagePushSecret': 'push'}))
    wrong = json.dumps({'auths': {registry: {'auth': base64.b64encode(b'kaito:wrong').decode()}}})
    code, message, log = tune(made, {**secrets, 'push': {'.dockerconfigjson': wrong}}, kept, interrupt=False)
    assert code == 11 and message['kind'] == 'denied', (code, message, log)
    code, message, log = tune(made, secrets, kept, interrupt=False)
    assert code == 0 and message['image'].startswith(f'{registry}/acme/adapter@sha256:'), (code, message, log)
    say('the endpoint that pulls it, and the gateway in front')
    port, process = serve(made, secrets, kept)
    body = {'prompt': 'question 3', 'apply_chat_template': True, 'return_full_text': False, 'generate_kwargs': {'max_new_tokens': 8, 'do_sample': False}}
    direct = ask(port, body)
    front = free_port()
    gateway = start([KAITO, 'gateway', '--upstream', f'http://127.0.0.1:{port}', '--port', str(front), '--model', 'tuned'], env={}, stderr=subprocess.DEVNULL)
    wait_for(f'http://127.0.0.1:{front}/health', gateway)
    through = ask(front, body)
    assert through == direct == answer, (direct, through, answer)
    base = ask(front, {**body, 'model': 'smollm2-135m-instruct'})
    assert base != direct, base
    print(f'base {base!r}, tuned {through!r}')
    for p in (gateway, process):
        p.terminate()
        assert p.wait(120) == 0
    say('done')


try:
    main()
finally:
    for p in processes:
        if p.poll() is None:
            p.kill()
        p.wait()
    shutil.rmtree(ROOT, ignore_errors=True)
