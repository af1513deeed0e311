"""What programs do with docker-py. Prints a JSON line for each check; its parent counts them."""
import io
import json
import os
import socket
import struct
import sys
import tarfile
import tempfile
import threading
import time
import traceback
from datetime import datetime, timedelta, timezone

import docker
from docker.errors import APIError, BuildError, ContainerError, ImageNotFound, NotFound
from docker.types import EndpointConfig, Healthcheck, IPAMConfig, IPAMPool, LogConfig, Mount, Ulimit

TAG = os.environ['COMPAT_TAG']
IMAGE = os.environ['COMPAT_IMAGE']
SKIP = set(json.loads(os.environ['COMPAT_SKIP']))
client = docker.from_env(timeout=60)
api = client.api
checks = []


def check(says):
    def register(run):
        checks.append((says, run))
        return run
    return register


def name(suffix):
    return f'{TAG}-{suffix}'


def sleeper(suffix='a', **options):
    return client.containers.run(IMAGE, 'sleep 600', name=name(suffix), detach=True, **options)


def equal(found, wanted):
    assert found == wanted, f'{found!r} is not {wanted!r}'


def raises(kind, words, run):
    try:
        run()
    except kind as error:
        assert words in str(error), f'{error} does not say {words!r}'
        return error
    raise AssertionError(f'no {kind.__name__}')


def until(run, seconds=15):
    end = time.time() + seconds
    while not run():
        assert time.time() < end, 'it never came to be'
        time.sleep(0.1)


def tar_of(path, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as tar:
        info = tarfile.TarInfo(path)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def clean():
    for container in client.containers.list(all=True, filters={'name': TAG}):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters={'name': TAG}):
        network.remove()
    for volume in client.volumes.list(filters={'name': TAG}):
        volume.remove()
    for image in client.images.list(filters={'reference': f'{TAG}-*'}):
        for tag in image.tags:
            if tag.startswith(f'{TAG}-'):
                client.images.remove(tag, force=True)


@check('ping, version and info')
def _():
    assert client.ping()
    version = client.version()
    assert version['ApiVersion'] and version['Version'] and version['Os'] == 'linux'
    equal(client.info()['OSType'], 'linux')
    equal(api._version, version['ApiVersion'])


@check('containers.run returns what was printed')
def _():
    equal(client.containers.run(IMAGE, 'echo hello', remove=True), b'hello\n')
    equal(client.containers.run(IMAGE, ['sh', '-c', 'echo o; echo e >&2'], remove=True, stderr=True,
                                stdout=False), b'e\n')


@check('containers.run streams')
def _():
    lines = client.containers.run(IMAGE, 'seq 3', stream=True, name=name('a'))
    equal(b''.join(lines), b'1\n2\n3\n')


@check('containers.run raises ContainerError with status and standard error')
def _():
    error = raises(ContainerError, 'returned non-zero exit status 3', lambda: client.containers.run(
        IMAGE, ['sh', '-c', 'echo bad >&2; exit 3'], remove=True))
    equal((error.exit_status, error.stderr), (3, b'bad\n'))


@check('containers.run detached, then wait')
def _():
    container = client.containers.run(IMAGE, ['sh', '-c', 'exit 4'], detach=True, name=name('a'))
    equal(container.wait()['StatusCode'], 4)
    container.reload()
    equal(container.status, 'exited')
    equal(container.attrs['State']['ExitCode'], 4)


@check('wait until removed, and its timeout')
def _():
    container = sleeper(auto_remove=True)
    try:
        container.wait(timeout=1)
        raise AssertionError('no timeout')
    except Exception as error:
        assert 'timed out' in str(error).lower(), error
    threading.Timer(0.5, container.kill).start()
    equal(container.wait(condition='removed')['StatusCode'], 137)
    until(lambda: not client.containers.list(all=True, filters={'name': name('a')}))


@check('containers.run with many options')
def _():
    out = client.containers.run(
        IMAGE, ['sh', '-c', 'echo $X $(id -u) $(pwd) $(hostname); ulimit -n; cat /etc/hosts'],
        environment={'X': '1'}, user='1000', working_dir='/tmp', hostname='box', remove=True,
        mem_limit='64m', nano_cpus=500_000_000, pids_limit=50, cap_drop=['ALL'], read_only=True,
        tmpfs={'/t': 'size=64k'}, extra_hosts={'db': '10.1.2.3'}, dns=['10.9.9.9'], init=True,
        ulimits=[Ulimit(name='nofile', soft=100, hard=100)], sysctls={'net.ipv4.ip_default_ttl': '99'},
        labels={'a': 'b'}, shm_size='32m', security_opt=['no-new-privileges'], stop_signal='SIGINT',
        log_config=LogConfig(type='json-file', config={'max-size': '1m'}),
    ).decode()
    assert out.startswith('1 1000 /tmp box\n100\n'), out
    assert '10.1.2.3\tdb' in out, out


@check('lists with filters, and by id and name')
def _():
    container = sleeper(labels={'compat': TAG})
    equal([c.id for c in client.containers.list(filters={'label': f'compat={TAG}'})], [container.id])
    equal(client.containers.list(filters={'label': f'compat={TAG}', 'status': 'exited'}), [])
    equal(client.containers.get(container.short_id).name, name('a'))
    equal(client.containers.get(name('a')).image.tags, [IMAGE])
    assert client.containers.list(sparse=True, all=True, limit=1)


@check('start, stop, restart, kill, pause, unpause, rename')
def _():
    container = sleeper()
    container.pause()
    container.reload()
    equal(container.status, 'paused')
    container.unpause()
    container.restart(timeout=0)
    container.rename(name('b'))
    equal(client.containers.get(name('b')).status, 'running')
    container.stop(timeout=0)
    container.start()
    container.kill(signal='SIGTERM')
    container.kill()
    equal(container.wait()['StatusCode'], 137)


@check('logs: tail, since, timestamps, stream, follow')
def _():
    container = client.containers.run(IMAGE, 'seq 5', detach=True, name=name('a'))
    container.wait()
    equal(container.logs(), b'1\n2\n3\n4\n5\n')
    equal(container.logs(tail=2), b'4\n5\n')
    equal(container.logs(stderr=True, stdout=False), b'')
    equal(container.logs(since=datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(hours=1)), b'')
    assert b'Z 1\n' in container.logs(timestamps=True)
    equal(b''.join(container.logs(stream=True, follow=True)), b'1\n2\n3\n4\n5\n')


@check('logs follow a running one, line by line')
def _():
    script = 'for i in 1 2 3; do echo $i; sleep 0.2; done'
    container = client.containers.run(IMAGE, ['sh', '-c', script], detach=True, name=name('a'))
    equal([line for line in container.logs(stream=True)], [b'1\n', b'2\n', b'3\n'])


@check('logs of a stream can be closed')
def _():
    container = client.containers.run(IMAGE, ['sh', '-c', 'while echo x; do sleep 0.1; done'],
                                      detach=True, name=name('a'))
    logs = container.logs(stream=True)
    next(logs)
    logs.close()
    container.kill()


@check('exec_run: output and status')
def _():
    container = sleeper()
    equal(tuple(container.exec_run('echo hello')), (0, b'hello\n'))
    equal(container.exec_run(['sh', '-c', 'exit 7']).exit_code, 7)
    equal(container.exec_run('id -u', user='1000').output, b'1000\n')
    equal(container.exec_run('pwd', workdir='/tmp').output, b'/tmp\n')
    equal(container.exec_run(['sh', '-c', 'echo $X'], environment={'X': 'y'}).output, b'y\n')


@check('exec_run: demux, stream, detach, tty')
def _():
    container = sleeper()
    both = ['sh', '-c', 'echo o; sleep 0.1; echo e >&2']
    equal(container.exec_run(both, demux=True).output, (b'o\n', b'e\n'))
    equal(b''.join(container.exec_run('seq 3', stream=True).output), b'1\n2\n3\n')
    equal(list(container.exec_run(both, stream=True, demux=True).output), [(b'o\n', None), (None, b'e\n')])
    assert not container.exec_run('true', detach=True).output
    assert container.exec_run('tty', tty=True).output.startswith(b'/dev/pts/')


@check('exec_run: forty in a row lose nothing')
def _():
    container = sleeper()
    for i in range(40):
        equal(tuple(container.exec_run(f'echo {i}')), (0, f'{i}\n'.encode()))


@check('exec_run: a socket with standard input')
def _():
    container = sleeper()
    _, wrapped = container.exec_run('cat', stdin=True, socket=True)
    raw = wrapped._sock
    raw.sendall(b'typed\n')
    raw.shutdown(socket.SHUT_WR)
    data = b''
    while chunk := raw.recv(4096):
        data += chunk
    equal(data, struct.pack('>BxxxL', 1, 6) + b'typed\n')


@check('exec: inspect knows what runs')
def _():
    container = sleeper()
    created = api.exec_create(container.id, 'sleep 600')
    api.exec_start(created['Id'], detach=True)
    found = api.exec_inspect(created['Id'])
    equal((found['Running'], found['ExitCode'], found['ContainerID']), (True, None, container.id))
    equal(found['ProcessConfig']['entrypoint'], 'sleep')


@check('attach_socket speaks with a program')
def _():
    container = client.containers.create(IMAGE, 'cat', name=name('a'), stdin_open=True)
    wrapped = container.attach_socket(params={'stdin': 1, 'stdout': 1, 'stream': 1})
    container.start()
    raw = wrapped._sock
    raw.sendall(b'typed\n')
    header = raw.recv(8, socket.MSG_WAITALL)
    equal(header, struct.pack('>BxxxL', 1, 6))
    equal(raw.recv(6, socket.MSG_WAITALL), b'typed\n')
    raw.close()
    container.kill()


@check('attach_socket of a terminal is not framed')
def _():
    container = client.containers.create(IMAGE, 'cat', name=name('a'), stdin_open=True, tty=True)
    wrapped = container.attach_socket(params={'stdin': 1, 'stdout': 1, 'stream': 1})
    container.start()
    wrapped._sock.sendall(b'typed\n')
    equal(wrapped._sock.recv(7, socket.MSG_WAITALL), b'typed\r\n')
    wrapped._sock.close()
    container.resize(40, 100)
    container.kill()


@check('attach streams what comes')
def _():
    script = 'echo early; while ! test -e /go; do sleep 0.1; done; echo late'
    container = client.containers.run(IMAGE, ['sh', '-c', script], detach=True, name=name('a'))
    until(lambda: container.logs() == b'early\n')
    stream = container.attach(stream=True)
    container.exec_run('touch /go')
    equal(b''.join(stream), b'late\n')


@check('put_archive and get_archive')
def _():
    container = client.containers.create(IMAGE, 'cat /tmp/f', name=name('a'))
    assert container.put_archive('/tmp', tar_of('f', b'content\n'))
    container.start()
    equal(container.wait()['StatusCode'], 0)
    equal(container.logs(), b'content\n')
    stream, stat = container.get_archive('/tmp/f')
    equal((stat['name'], stat['size'], stat['linkTarget']), ('f', 8, ''))
    with tarfile.open(fileobj=io.BytesIO(b''.join(stream))) as tar:
        equal(tar.extractfile('f').read(), b'content\n')
    raises(NotFound, 'Could not find the file /none in container', lambda: container.get_archive('/none'))
    raises(NotFound, 'Could not find the file /none in container',
           lambda: container.put_archive('/none', tar_of('f', b'')))


@check('diff tells of changes')
def _():
    container = client.containers.run(IMAGE, 'touch /new', detach=True, name=name('a'))
    container.wait()
    assert {'Path': '/new', 'Kind': 1} in container.diff()


@check('export is a tar of the root')
def _():
    container = client.containers.create(IMAGE, name=name('a'))
    with tarfile.open(fileobj=io.BytesIO(b''.join(container.export()))) as tar:
        assert 'etc/passwd' in tar.getnames()


@check('commit makes an image')
def _():
    container = client.containers.run(IMAGE, 'touch /new', detach=True, name=name('a'))
    container.wait()
    image = container.commit(name('i'), '1', message='why', author='me', changes=['CMD ["ls", "/new"]'])
    equal(image.tags, [f'{name("i")}:1'])
    equal(client.containers.run(image, remove=True), b'/new\n')


@check('top and stats')
def _():
    container = sleeper()
    top = container.top()
    equal(top['Titles'][-1], 'CMD')
    assert top['Processes'][0][-1] == 'sleep 600'
    stats = container.stats(stream=False)
    assert stats['memory_stats']['usage'] > 0 and stats['pids_stats']['current'] == 1
    assert stats['precpu_stats']['cpu_usage'] and 'eth0' in stats['networks']
    equal(next(container.stats(stream=True, decode=True))['name'], f'/{name("a")}')


@check('update changes limits')
def _():
    container = sleeper(mem_limit='64m')
    container.update(mem_limit='96m', memswap_limit='128m', restart_policy={'Name': 'always'})
    container.reload()
    equal(container.attrs['HostConfig']['Memory'], 96 * 2**20)
    equal(container.attrs['HostConfig']['RestartPolicy']['Name'], 'always')


@check('ports')
def _():
    container = sleeper(ports={'80/tcp': ('127.0.0.1', None), '81/udp': None})
    container.reload()
    (binding,) = container.ports['80/tcp']
    equal(binding['HostIp'], '127.0.0.1')
    assert int(binding['HostPort']) > 0 and container.ports['81/udp']


@check('a published port answers this client')
def _():
    container = client.containers.run(IMAGE, 'httpd -f -h /www', name=name('a'), detach=True,
                                      ports={'80/tcp': ('127.0.0.1', None)})
    container.reload()
    port = int(container.ports['80/tcp'][0]['HostPort'])
    found = []

    def answers():
        try:
            with socket.create_connection(('127.0.0.1', port), timeout=5) as connection:
                connection.sendall(b'GET / HTTP/1.0\r\n\r\n')
                found.append(connection.makefile('rb').read())
            return b'Hello' in found[-1]
        except OSError:
            return False
    until(answers)


@check('volumes: create, list, use, remove')
def _():
    volume = client.volumes.create(name('v'), labels={'a': 'b'})
    equal((volume.name, volume.attrs['Driver'], volume.attrs['Labels']), (name('v'), 'local', {'a': 'b'}))
    client.containers.run(IMAGE, ['sh', '-c', 'echo x > /d/f'], remove=True,
                          volumes={name('v'): {'bind': '/d', 'mode': 'rw'}})
    mount = Mount(target='/e', source=name('v'), type='volume', read_only=True)
    equal(client.containers.run(IMAGE, 'cat /e/f', remove=True, mounts=[mount]), b'x\n')
    equal([v.name for v in client.volumes.list(filters={'name': name('v')})], [name('v')])
    user = client.containers.create(IMAGE, name=name('a'), volumes=[f'{name("v")}:/d'])
    raises(APIError, 'volume is in use', volume.remove)
    user.remove()
    volume.remove()
    raises(NotFound, f'get {name("v")}: no such volume', lambda: client.volumes.get(name('v')))


@check('networks: create, connect with alias, disconnect, remove')
def _():
    pool = IPAMPool(subnet='10.99.80.0/24', gateway='10.99.80.1')
    network = client.networks.create(name('n'), driver='bridge', ipam=IPAMConfig(pool_configs=[pool]),
                                     labels={'a': 'b'})
    equal(network.attrs['IPAM']['Config'][0]['Subnet'], '10.99.80.0/24')
    container = sleeper()
    network.connect(container, aliases=['web'], ipv4_address='10.99.80.7')
    network.reload()
    equal([c.id for c in network.containers], [container.id])
    out = client.containers.run(IMAGE, 'ping -c 1 web', network=name('n'), remove=True)
    assert b'10.99.80.7' in out, out
    network.disconnect(container)
    network.reload()
    equal(network.containers, [])
    container.remove(force=True)
    network.remove()
    raises(NotFound, f'network {name("n")} not found', lambda: client.networks.get(name('n')))


@check('networks: an endpoint’s settings at create')
def _():
    client.networks.create(name('n'))
    settings = {name('n'): EndpointConfig(api._version, aliases=['db'])}
    container = client.containers.create(IMAGE, 'sleep 600', name=name('a'), network=name('n'),
                                         networking_config=settings)
    container.start()
    container.reload()
    assert 'db' in container.attrs['NetworkSettings']['Networks'][name('n')]['Aliases']


@check('networks that are in use, and the engine’s own, stay')
def _():
    network = client.networks.create(name('n'))
    sleeper(network=name('n'))
    raises(APIError, 'has active endpoints', network.remove)
    raises(APIError, 'is a pre-defined network and cannot be removed',
           client.networks.list(names=['bridge'])[0].remove)


@check('images: get, tag, list, history, remove')
def _():
    image = client.images.get(IMAGE)
    assert image.tag(name('i'), '2')
    image.reload()
    assert f'{name("i")}:2' in image.tags
    equal([i.id for i in client.images.list(name=name('i'))], [image.id])
    assert image.history()[0]['Id'] == image.id
    client.images.remove(f'{name("i")}:2')
    raises(ImageNotFound, f'No such image: {name("i")}:2', lambda: client.images.get(f'{name("i")}:2'))


@check('images: save and load')
def _():
    image = client.images.get(IMAGE)
    image.tag(name('i'), '1')
    data = b''.join(client.images.get(f'{name("i")}:1').save(named=f'{name("i")}:1'))
    client.images.remove(f'{name("i")}:1')
    (loaded,) = client.images.load(data)
    equal(loaded.id, image.id)
    assert f'{name("i")}:1' in loaded.tags


@check('images: import from data')
def _():
    api.import_image_from_data(tar_of('f', b'x'), repository=name('i'), tag='3', changes=['CMD ["x"]'])
    equal(client.images.get(f'{name("i")}:3').attrs['Config']['Cmd'], ['x'])


@check('images: prune by label')
def _():
    api.import_image_from_data(tar_of('f', b'y'), repository=name('i'), tag='4', changes=[f'LABEL {TAG}=1'])
    pruned = client.images.prune(filters={'dangling': False, 'label': TAG})
    assert pruned['ImagesDeleted'], pruned


@check('prune of containers, networks and volumes, by label')
def _():
    labels = {'labels': {TAG: '1'}}
    container = client.containers.create(IMAGE, name=name('a'), **labels)
    client.networks.create(name('n'), **labels)
    client.volumes.create(name('v'), **labels)
    by = {'label': TAG}
    equal(client.containers.prune(filters=by)['ContainersDeleted'], [container.id])
    equal(client.networks.prune(filters=by)['NetworksDeleted'], [name('n')])
    equal(client.volumes.prune(filters={**by, 'all': True})['VolumesDeleted'], [name('v')])


@check('events of a life, decoded')
def _():
    since = int(time.time()) - 1
    client.containers.run(IMAGE, 'true', name=name('a'), network_mode='none').decode()
    client.containers.get(name('a')).remove()
    events = client.events(since=since, until=int(time.time()) + 2, decode=True,
                           filters={'container': name('a'), 'type': 'container'})
    found = list(events)
    actions = [event['Action'] for event in found]
    for action in ['create', 'start', 'die', 'destroy']:
        assert action in actions, actions
    equal(found[0]['Actor']['Attributes']['name'], name('a'))
    assert all(event['status'] and event['id'] and event['timeNano'] for event in found)


@check('events of a stream can be closed')
def _():
    events = client.events(decode=True, filters={'volume': name('v')})
    threading.Timer(0.3, lambda: client.volumes.create(name('v'))).start()
    equal(next(events)['Action'], 'create')
    events.close()


@check('the health of a container')
def _():
    probe = Healthcheck(test=['CMD', 'true'], interval=200_000_000, timeout=2 * 10**9, retries=2)
    container = sleeper(healthcheck=probe)
    def healthy():
        container.reload()
        return container.health == 'healthy'
    until(healthy)


@check('errors carry the engine’s words')
def _():
    raises(NotFound, 'No such container: no-such', lambda: client.containers.get('no-such'))
    raises(ImageNotFound, 'No such image: no-such:latest', lambda: client.images.get('no-such'))
    raises(NotFound, 'No such exec instance: no-such', lambda: api.exec_inspect('no-such'))
    error = raises(APIError, 'executable file not found in $PATH',
                   lambda: client.containers.run(IMAGE, 'no-such', name=name('a')))
    equal(error.response.status_code, 400)
    error = raises(APIError, 'is already in use by container',
                   lambda: client.containers.create(IMAGE, name=name('a')))
    equal((error.response.status_code, error.is_client_error()), (409, True))


def context(**files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    buffer.seek(0)
    return buffer


@check('images.build from an archive')
def _():
    files = context(Dockerfile=f'FROM {IMAGE}\nARG WHO\nCOPY f /f\nRUN echo $WHO >> /f\n', f='file ')
    image, log = client.images.build(
        fileobj=files, custom_context=True, tag=name('built'), buildargs={'WHO': 'me'},
        labels={'x': 'y'}, nocache=True, rm=True, container_limits={'memory': 64 * 1024 * 1024})
    said = ''.join(line.get('stream', '') for line in log)
    assert 'Step 1/5 : FROM' in said and 'Successfully tagged' in said, said
    equal((image.tags, image.labels), ([name('built') + ':latest'], {'x': 'y'}))
    equal(client.containers.run(image, 'cat /f', name=name('a'), remove=True), b'file me\n')
    client.images.remove(name('built'), force=True)


@check('images.build from a folder, without what it ignores')
def _():
    with tempfile.TemporaryDirectory() as folder:
        texts = {'Dockerfile': f'FROM {IMAGE}\nCOPY . /c\n', '.dockerignore': 'no\n',
                 'no': '', 'yes': ''}
        for path, text in texts.items():
            with open(os.path.join(folder, path), 'w') as file:
                file.write(text)
        image, _ = client.images.build(path=folder, tag=name('built'))
    found = client.containers.run(image, 'ls -A /c', name=name('a'), remove=True)
    equal(found, b'.dockerignore\nDockerfile\nyes\n')
    client.images.remove(name('built'), force=True)


@check('a build that fails is a BuildError with its log')
def _():
    files = io.BytesIO(f'FROM {IMAGE}\nRUN echo said; exit 3\n'.encode())
    error = raises(BuildError, 'returned a non-zero code: 3',
                   lambda: client.images.build(fileobj=files, forcerm=True))
    assert any('said' in line.get('stream', '') for line in error.build_log)
    raises(APIError, 'unknown instruction: NOPE',
           lambda: client.images.build(fileobj=io.BytesIO(b'NOPE\n')))


@check('removal of a running one is refused')
def _():
    container = sleeper()
    error = raises(APIError, 'stop the container before', container.remove)
    equal(error.response.status_code, 409)
    raises(APIError, 'is not running', lambda: client.containers.create(IMAGE, name=name('b')).kill())


@check('bad values are refused')
def _():
    raises(APIError, 'Minimum memory limit allowed is 6MB',
           lambda: client.containers.create(IMAGE, name=name('a'), mem_limit='1m'))
    raises(APIError, 'Duplicate mount point: /x', lambda: client.containers.create(
        IMAGE, name=name('a'), volumes=[f'{name("v")}:/x', f'{name("w")}:/x']))
    raises(APIError, 'invalid filter', lambda: client.containers.list(filters={'no-such': '1'}))


@check('df and an unversioned client')
def _():
    df = client.df()
    for key in ['LayersSize', 'Images', 'Containers', 'Volumes', 'BuildCache']:
        assert key in df, df.keys()
    old = docker.DockerClient(base_url=os.environ['DOCKER_HOST'], version='1.24')
    assert old.version()['ApiVersion']
    assert isinstance(old.api.containers(all=True), list)
    old.close()


@check('swarm is said to be inactive')
def _():
    error = raises(APIError, 'This node is not a swarm manager', client.nodes.list)
    equal(error.response.status_code, 503)


failed = 0
for says, run in checks:
    if says in SKIP:
        continue
    told = {'says': says}
    try:
        run()
    except Exception:
        told['error'] = traceback.format_exc(limit=-4)
        failed += 1
    try:
        clean()
    except Exception as error:
        told.setdefault('error', f'clean: {error}')
    print(json.dumps(told), flush=True)
sys.exit(0)
