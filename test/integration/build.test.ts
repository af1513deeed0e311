/** Builds through the socket of a real daemon: what they make, say, keep and leave. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { test } from 'tap';
import { buildOn, filesOf, type BuildAnswer } from '../support/builds.js';
import { xzBytes } from '../support/compressed.js';
import { output, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker } from '../support/docker-cli.js';
import { tarOf } from '../support/tar.js';

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

const base = 'FROM tsdocker-demo\n';

/** A context that is not held in memory. */
const onDisk = { link: { link: 'x' } };

/** Temporary files and containers of builds: there are none when none runs. */
async function leftovers({ api, dataRoot }: TestDaemon): Promise<readonly string[]> {
  const containers = (await api.get('/containers/json?all=1')).json as { Id: string }[];
  return [...containers.map(({ Id }) => Id), ...readdirSync(join(dataRoot, 'build', 'builds'))];
}

function cachedSteps({ text }: BuildAnswer): number {
  return text.split(' ---> Using cache').length - 1;
}

test('every instruction does what it says', async (t) => {
  const daemon = await world(t);
  const answer = await buildOn(daemon.socket, {
    files: {
      Dockerfile:
        'ARG BASE=tsdocker-demo\nFROM ${BASE} AS one\nARG X=1\nARG Y\nMAINTAINER me\n' +
        'ENV A=b C="d e"\nLABEL l=v\nRUN echo $X $Y $A > /out; echo err >&2\nWORKDIR /app\n' +
        'WORKDIR sub\nCOPY a.txt dir/ ./\nADD a.txt link /x/\nEXPOSE 80 90/udp\nVOLUME /data\n' +
        'USER user\nHEALTHCHECK --interval=5s CMD true\nSTOPSIGNAL SIGINT\n' +
        'SHELL ["/bin/ash", "-c"]\nRUN id -u\nONBUILD RUN echo onb\nENTRYPOINT ["/bin/sh"]\n' +
        'CMD ["-c", "cat /out"]\n',
      'a.txt': 'hi\n',
      'dir/b': { content: 'b\n', mode: 0o600 },
      link: { link: 'a.txt' },
    },
    query: { t: 'built:1', buildargs: JSON.stringify({ Y: '2', Z: '3' }) },
  });
  t.equal(answer.status, 200);
  t.match(answer.text, 'Step 1/22 : ARG BASE=tsdocker-demo\nStep 2/22 : FROM ${BASE} AS one\n');
  t.match(answer.text, '\u001b[91merr\n\u001b[0m');
  t.match(
    answer.text,
    /\[Warning\] One or more build-args \[Z\] were not consumed\nSuccessfully built \w{12}\nSuc/,
  );
  const { json } = await daemon.api.get('/images/built:1/json');
  t.match(json, {
    Author: 'me',
    Config: {
      User: 'user',
      Env: [/^PATH=/, 'A=b', 'C=d e'],
      Cmd: ['-c', 'cat /out'],
      Entrypoint: ['/bin/sh'],
      WorkingDir: '/app/sub',
      Labels: { l: 'v' },
      ExposedPorts: { '80/tcp': {}, '90/udp': {} },
      Volumes: { '/data': {} },
      StopSignal: 'SIGINT',
      Shell: ['/bin/ash', '-c'],
      OnBuild: ['RUN echo onb'],
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
    },
  });
  const history = (await daemon.api.get('/images/built:1/history')).json as {
    CreatedBy: string;
    Size: number;
  }[];
  t.match(history[3]?.CreatedBy, '|2 X=1 Y=2 /bin/ash -c id -u');
  t.match(history.at(-2)?.CreatedBy, '/bin/sh -c #(nop)  ARG X=1');
  const image = { Image: 'built:1' };
  const ran = await output(daemon, { command: ['-c', 'cat /out'], config: image });
  t.match(ran, { code: 0, text: '1 2 b\n' });
  const files = await filesOf(daemon.socket, 'built:1');
  t.match(files.get('app/sub/a.txt'), { mode: 0o644, uid: 0, gid: 0, content: 'hi\n' });
  t.match(files.get('app/sub/b'), { mode: 0o600, uid: 0, gid: 0, content: 'b\n' });
  t.match(files.get('x/link'), { type: 'file', content: 'hi\n' });
  t.same(await leftovers(daemon), []);
});

test('a second build hits the cache, also after a restart of the daemon', async (t) => {
  const daemon = await world(t);
  const request = {
    files: {
      Dockerfile:
        `${base}RUN cat /proc/sys/kernel/random/uuid > /one\nCOPY a /a\nENV X=1\n`,
      a: 'a',
    },
    query: { t: 'cached' },
  };
  const first = await buildOn(daemon.socket, request);
  t.equal(cachedSteps(first), 0);
  await daemon.kill9();
  await daemon.start();
  const second = await buildOn(daemon.socket, request);
  t.equal(cachedSteps(second), 3);
  t.equal(second.imageId, first.imageId);
  const touched = { ...request, files: { ...request.files, a: { content: 'a', mtime: 12345 } } };
  t.equal(cachedSteps(await buildOn(daemon.socket, touched)), 3, 'times are no difference');
  const changed = { ...request, files: { ...request.files, a: 'b' } };
  t.equal(cachedSteps(await buildOn(daemon.socket, changed)), 1);
  const none = { ...request, query: { ...request.query, nocache: '1' } };
  t.equal(cachedSteps(await buildOn(daemon.socket, none)), 0);
  const usage = (await daemon.api.get('/system/df?type=build-cache')).json;
  t.match(usage.BuildCache, [{ InUse: false, ID: /^\w{25}$/ }]);
  await daemon.api.delete('/images/cached?force=1');
  const pruned = (await daemon.api.post('/build/prune?all=1')).json;
  t.ok(pruned.CachesDeleted.length > 3);
  t.ok(pruned.SpaceReclaimed > 0);
  t.equal(cachedSteps(await buildOn(daemon.socket, request)), 0);
});

test('a failed command ends the build with its code and leaves its container', async (t) => {
  const daemon = await world(t);
  const files = { Dockerfile: `${base}RUN echo out; exit 4\n` };
  const failed = await buildOn(daemon.socket, { files, query: { t: 'never' } });
  t.match(failed.lines.at(-1), {
    errorDetail: {
      code: 4,
      message: "The command '/bin/sh -c echo out; exit 4' returned a non-zero code: 4",
    },
  });
  t.equal((await daemon.api.get('/images/never/json')).status, 404);
  const [id = ''] = await leftovers(daemon);
  t.match((await daemon.api.get(`/containers/${id}/json`)).json.State, { ExitCode: 4 });
  await daemon.api.delete(`/containers/${id}`);
  await buildOn(daemon.socket, { files, query: { forcerm: '1' } });
  t.same(await leftovers(daemon), []);
});

test('a client that hangs up ends its build, and nothing of it stays', async (t) => {
  const daemon = await world(t);
  const request = {
    files: { Dockerfile: `${base}RUN echo begun; sleep 1000\n`, ...onDisk },
    query: { t: 'gone', buildid: 'mine' },
  };
  const leaving = new AbortController();
  const build = buildOn(daemon.socket, { ...request, signal: leaving.signal });
  build.catch(() => undefined);
  await until('it runs', async () => (await leftovers(daemon)).length === 2);
  leaving.abort();
  await t.rejects(build);
  await until('it is gone', async () => (await leftovers(daemon)).length === 0);
  const cancelled = buildOn(daemon.socket, request);
  await until('it runs', async () => (await leftovers(daemon)).length === 2);
  t.equal((await daemon.api.post('/build/cancel?id=mine')).status, 200);
  await cancelled;
  t.same(await leftovers(daemon), []);
  t.equal((await daemon.api.get('/images/gone/json')).status, 404);
  t.equal((await daemon.api.post('/build/cancel?id=mine')).status, 200, 'it is over already');
  const nameless = await daemon.api.post('/build/cancel');
  t.equal(nameless.status, 400);
  t.same(nameless.json, { message: 'build ID not provided' });
});

test('after kill -9 nothing of a build is left, and the next one works', async (t) => {
  const daemon = await world(t);
  const files = { Dockerfile: `${base}RUN echo begun; sleep 1000\n`, ...onDisk };
  const build = buildOn(daemon.socket, { files });
  build.catch(() => undefined);
  await until('it runs', async () => (await leftovers(daemon)).length === 2);
  await daemon.kill9();
  await t.rejects(build);
  await daemon.start();
  await until('it is gone', async () => (await leftovers(daemon)).length === 0);
  const next = await buildOn(daemon.socket, { files: { Dockerfile: `${base}RUN true\n` } });
  t.match(next.text, 'Successfully built');
});

test('stages that do not need one another run side by side, and are shown in order', async (t) => {
  const daemon = await world(t);
  // Each waits for the other: one after the other they would never end.
  const stage = (name: string, other: string): string =>
    `${base.trim()} AS ${name}\nRUN --mount=type=cache,id=meet,target=/m touch /m/${name}; ` +
    `for i in $(seq 600); do test -e /m/${other} && break; usleep 100000; done; ` +
    `test -e /m/${other} && echo said ${name} > /${name} && cat /${name}\n`;
  const Dockerfile =
    `${stage('a', 'b')}${stage('b', 'a')}${base.trim()} AS unneeded\nRUN false\n` +
    `${base}COPY --from=a /a /\nCOPY --from=b /b /b\nRUN echo end\n`;
  const answer = await buildOn(daemon.socket, { files: { Dockerfile }, query: { t: 'stages' } });
  t.match(answer.text, /said a[\s\S]*said b[\s\S]*end\n[\s\S]*Successfully built/);
  const files = await filesOf(daemon.socket, 'stages');
  t.match(files.get('a'), { content: 'said a\n' });
  t.match(files.get('b'), { content: 'said b\n' });
});

test('a hostile context reaches nothing outside of it', async (t) => {
  const daemon = await world(t);
  const refused = async (files: object, message: RegExp): Promise<void> => {
    const answer = await buildOn(daemon.socket, { files: { Dockerfile: base, ...files } });
    t.match(answer.text + JSON.stringify(answer.lines.at(-1)), message);
  };
  const shadow = { link: '/etc/shadow' };
  await refused({ Dockerfile: `${base}COPY link /x\n`, link: shadow }, /not found/);
  await refused(
    { Dockerfile: `${base}COPY up/shadow /x\n`, up: { link: '../../../../../../etc' } },
    /not found/,
  );
  await refused({ Dockerfile: `${base}COPY ../x /\n` }, /forbidden path outside the build context/);
  await refused({ Dockerfile: { link: '/etc/passwd' } }, /Cannot locate specified Dockerfile/);
  await refused({ '../../evil': 'x' }, /Error processing tar file/);
  const links = await buildOn(daemon.socket, {
    files: {
      Dockerfile:
        `${base}RUN ln -s /etc /l; ln -s ../../../../../../../../tmp /m\n` +
        'COPY f /l/f\nCOPY f /m/f\n',
      f: 'inside',
    },
    query: { t: 'links' },
  });
  t.match(links.text, 'Successfully built');
  const files = await filesOf(daemon.socket, 'links');
  t.match(files.get('etc/f'), { content: 'inside' });
  t.match(files.get('tmp/f'), { content: 'inside' });
  t.same(await leftovers(daemon), []);
});

test('ADD unpacks archives of the context, with their owners', async (t) => {
  const daemon = await world(t);
  const inner = tarOf([
    { name: 'd/', type: '5', mode: 0o700, uid: 5, gid: 6 },
    { name: 'd/f', content: 'f', uid: 5, gid: 6 },
    { name: 'd/hard', type: '1', link: 'd/f' },
  ]);
  await buildOn(daemon.socket, {
    files: {
      Dockerfile: `${base}ADD in.tar /t/\nCOPY in.tar /c/\nADD in.tar.xz /xz/\n`,
      'in.tar': inner,
      'in.tar.xz': xzBytes(inner),
    },
    query: { t: 'added' },
  });
  const files = await filesOf(daemon.socket, 'added');
  t.match(files.get('t/d'), { type: 'directory', mode: 0o700, uid: 5, gid: 6 });
  t.match(files.get('t/d/f'), { uid: 5, gid: 6, content: 'f' });
  t.ok(files.has('t/d/hard'));
  t.match(files.get('xz/d/f'), { uid: 5, gid: 6, content: 'f' });
  t.match(files.get('c/in.tar'), { type: 'file' });
});

test('mounts of RUN: caches stay, copies and memory go', async (t) => {
  const daemon = await world(t);
  const Dockerfile =
    `${base.trim()} AS src\nRUN echo from-stage > /f\n${base}` +
    'RUN --mount=type=cache,target=/c date +%N >> /c/log; wc -l < /c/log > /lines\n' +
    'RUN --mount=target=/ctx --mount=from=src,source=/f,target=/f cat /ctx/a /f > /got\n' +
    'RUN --mount=type=tmpfs,target=/t touch /t/x; touch /t/y\n' +
    'RUN --network=none ip addr | grep -c eth0 > /eth || true\n' +
    'RUN <<EOF\necho one > /here\necho two >> /here\nEOF\nCOPY <<EOF /doc\nfrom a document\nEOF\n';
  const request = { files: { Dockerfile, a: 'from-context\n' }, query: { t: 'm', nocache: '1' } };
  await buildOn(daemon.socket, request);
  const answer = await buildOn(daemon.socket, request);
  t.match(answer.text, 'Successfully built');
  const files = await filesOf(daemon.socket, 'm');
  t.match(files.get('lines'), { content: '2\n' });
  t.match(files.get('got'), { content: 'from-context\nfrom-stage\n' });
  t.match(files.get('eth'), { content: '0\n' });
  t.match(files.get('here'), { content: 'one\ntwo\n' });
  t.match(files.get('doc'), { content: 'from a document\n' });
  for (const path of ['c', 'ctx', 'f', 't']) t.notOk(files.has(path), `${path} is no change`);
  const secret = await buildOn(daemon.socket, {
    files: { Dockerfile: `${base}RUN --mount=type=secret,id=s true\n` },
  });
  t.match(secret.lines.at(-1)?.error, 'not available');
});

test('the docker client builds, quietly too, and from standard input', async (t) => {
  const daemon = await world(t);
  const host = `unix://${daemon.socket}`;
  const folder = t.testdir({ Dockerfile: `${base}COPY a /a\nRUN cat /a\n`, a: 'content of a\n' });
  const environment = { DOCKER_BUILDKIT: '0' };
  const built = await docker(host, ['build', '-t', 'cli', folder], { environment });
  t.match(built, { code: 0, stdout: /content of a\n[\s\S]*Successfully tagged cli:latest\n$/ });
  const quiet = await docker(host, ['build', '-q', folder], { environment });
  t.match(quiet, { code: 0, stdout: /^sha256:\w{64}\n$/ });
  const input = `${base}RUN echo from stdin\n`;
  const piped = await docker(host, ['build', '-'], { environment, input });
  t.match(piped, { code: 0, stdout: /from stdin\n/ });
  const wrong = await docker(host, ['build', '-'], { environment, input: `${base}FOO\n` });
  t.equal(wrong.code, 1);
  t.match(wrong.stderr, 'dockerfile parse error on line 2: unknown instruction: FOO');
});

const cliProgram = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));

function runCli(args: readonly string[], input: string) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [cliProgram, ...args], { timeout: 60_000 });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

test('the command line builds folders and standard input, and prunes', async (t) => {
  const daemon = await world(t);
  const cli = (args: readonly string[], input = '') =>
    runCli(['-H', `unix://${daemon.socket}`, ...args], input);
  const folder = t.testdir({
    'Dockerfile.other': `${base}COPY . /ctx/\nARG X\nRUN ls /ctx; echo $X\n`,
    a: 'a',
    ignored: 'x',
    '.dockerignore': 'ignored\n',
  });
  const file = join(folder, 'Dockerfile.other');
  const iidfile = join(folder, 'iid');
  const flags = ['-t', 'mine:1', '-f', file, '--build-arg', 'X=y', '--iidfile', iidfile];
  const built = await cli(['build', ...flags, folder]);
  t.match(built, { code: 0, stdout: /Dockerfile\.other\na\ny\n/ });
  t.notMatch(built.stdout, 'ignored\n', '.dockerignore holds');
  const { json } = await daemon.api.get('/images/mine:1/json');
  t.equal(readFileSync(iidfile, 'utf8'), json.Id);
  const piped = await cli(['build', '-q', '-'], `${base}RUN true\n`);
  t.match(piped, { code: 0, stdout: /^sha256:\w{64}\n$/ });
  const wrong = await cli(['build', '-'], `${base}FOO\n`);
  t.match(wrong, { code: 1, stderr: /line 2: unknown instruction: FOO/ });
  t.match(await cli(['builder', 'prune', '-a', '-f']), { code: 0, stdout: /Total reclaimed/ });
});
