/**
 * Hostile Dockerfiles, contexts and requests: mounts that lead out (CVE-2024-23651, -1753, -9407),
 * entitlements (-23653), folders behind links (CVE-2025-9566), bombs, nonsense. The host is as it
 * was, nothing is left, and the daemon goes on.
 */
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Test } from 'tap';
import { test } from 'tap';
import { createGzip } from 'node:zlib';
import { buildOn, filesOf, type BuildAnswer, type BuildOptions } from '../support/builds.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { entryOf } from '../support/tar.js';

const base = 'FROM tsdocker-demo\n';
const errorOf = ({ text: said, lines }: BuildAnswer): string => lines.at(-1)?.error ?? said;

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

/** No temporary files, no containers. */
async function nothingLeft(t: Test, { api, dataRoot }: TestDaemon): Promise<void> {
  t.same(readdirSync(join(dataRoot, 'build', 'builds')), []);
  t.same((await api.get('/containers/json?all=1')).json, []);
}

const etc = (): unknown => [readdirSync('/etc').sort(), statSync('/etc').mtimeMs];

test('what mounts name lies in the context, the image or the stage', async (t) => {
  const daemon = await world(t);
  const before = etc();
  const files = { up: { link: '../../../../../../etc' }, abs: { link: '/etc' }, 'd/f': 'F' };
  const build = (line: string): Promise<BuildAnswer> =>
    buildOn(daemon.socket, { files: { Dockerfile: `${base}${line}\n`, ...files } });
  for (const source of ['../..', '../../../etc', 'd/../../..']) {
    const answer = await build(`RUN --mount=type=bind,source=${source},target=/m cat /m/hostname`);
    t.match(errorOf(answer), /forbidden path outside the build context/, source);
  }
  for (const source of ['up', 'abs', 'up/passwd', '/../../etc']) {
    const answer = await build(`RUN --mount=type=bind,source=${source},target=/m ls -R /m`);
    t.match(errorOf(answer), /file not found|file does not exist/, source);
  }
  const outOf = await build('RUN --mount=from=tsdocker-demo,source=../../..,target=/m ls /m');
  t.match(outOf.text, 'Successfully built', 'an image ends at its own root');
  t.match(outOf.text, 'www\n');
  t.same(etc(), before);
  await nothingLeft(t, daemon);
});

test('targets of mounts behind links stay in the root', async (t) => {
  const daemon = await world(t);
  const before = etc();
  const mark = t.testdir({ precious: 'kept' });
  const Dockerfile =
    `${base}RUN ln -s /etc /abs; ln -s ../../../../../..${mark} /rel; ` +
    'mkdir /real; ln -s /real /c\n' +
    'RUN --mount=type=cache,id=x,target=/abs/sub touch /abs/sub/in\n' +
    'RUN --mount=type=tmpfs,target=/rel/sub touch /rel/sub/in\n' +
    'RUN --mount=type=cache,id=x,target=/c/deep ls /c/deep > /seen; ' +
    'rm -rf /c/deep/in; mv /real /moved; ln -s /etc /real\n';
  const answer = await buildOn(daemon.socket, { files: { Dockerfile }, query: { t: 'm' } });
  t.match(answer.text, 'Successfully built');
  t.match((await filesOf(daemon.socket, 'm')).get('seen'), { content: 'in\n' });
  t.same(etc(), before);
  t.same(readdirSync(mark), ['precious']);
  await nothingLeft(t, daemon);
});

test('a cache that holds links mounts nothing of the host, and is removed as links', async (t) => {
  const daemon = await world(t);
  const mark = t.testdir({ precious: 'kept' });
  const Dockerfile =
    `${base}RUN --mount=type=cache,id=../../../x,target=/c ` +
    `ln -s ${mark} /c/out && ln -s /etc /c/etc\n` +
    'RUN --mount=type=cache,id=../../../x,target=/c ls /c/out/ 2>&1; test -e /c/etc/motd || true\n';
  const answer = await buildOn(daemon.socket, { files: { Dockerfile } });
  t.match(answer.text, 'Successfully built');
  t.notMatch(answer.text, 'precious');
  t.equal(readdirSync(join(daemon.dataRoot, 'build', 'cache')).length, 1, 'an id is no path');
  await nothingLeft(t, daemon);
});

test('what was not granted is refused before anything runs', async (t) => {
  const daemon = await world(t);
  const refused = async (line: string, why: RegExp): Promise<void> => {
    const files = { Dockerfile: `${base}${line}\n` };
    t.match(errorOf(await buildOn(daemon.socket, { files })), why, line);
  };
  await refused('RUN --security=insecure true', /security\.insecure is not allowed/);
  await refused('RUN --network=host true', /network\.host is not allowed/);
  await refused('RUN --mount=type=secret,id=x,required=true true', /not available/);
  await refused('RUN --mount=type=ssh,required=true true', /not available/);
  await refused('RUN --mount=type=nonsense,target=/x true', /unsupported mount type/);
  const privileged = `${base}RUN mount -t tmpfs none /mnt 2>&1 || grep CapBnd /proc/self/status\n`;
  const ran = await buildOn(daemon.socket, { files: { Dockerfile: privileged } });
  t.notMatch(ran.text, 'ffffffff');
  await nothingLeft(t, daemon);
});

test('folders and volumes behind links are made in the image alone', async (t) => {
  const daemon = await world(t);
  const before = etc();
  const Dockerfile =
    `${base}RUN ln -s /etc /w && ln -s ../../../../../../etc /v\nWORKDIR /w/made\n` +
    'WORKDIR /v/made2\nVOLUME /v\nRUN echo x > /v/y; pwd -P\nCOPY f /v/made3/\n';
  const answer = await buildOn(daemon.socket, { files: { Dockerfile, f: 'F' }, query: { t: 'w' } });
  t.match(answer.text, '/etc/made2\n');
  const files = await filesOf(daemon.socket, 'w');
  for (const path of ['etc/made', 'etc/made2', 'etc/made3/f']) t.ok(files.has(path), path);
  t.same(etc(), before);
});

test('builds side by side see nothing of one another', async (t) => {
  const daemon = await world(t);
  const build = async (nth: number): Promise<BuildAnswer> => {
    const Dockerfile =
      `${base}ARG S\nRUN env | grep ^S=; ls /ctx 2>&1; touch /tmp/mine\n` +
      'RUN --mount=target=/ctx,rw ls /ctx > /seen; echo evil > /ctx/own; rm -rf /ctx/*\n' +
      'COPY own /own\n';
    return buildOn(daemon.socket, {
      files: { Dockerfile, own: `own ${nth}`, [`only${nth}`]: '', link: { link: '/etc' } },
      query: { t: `side${nth}`, buildargs: JSON.stringify({ S: `SECRET${nth}` }), nocache: '1' },
    });
  };
  const all = await Promise.all([0, 1, 2, 3].map(build));
  for (const [nth, answer] of all.entries()) {
    t.match(answer.text, 'Successfully built');
    const files = await filesOf(daemon.socket, `side${nth}`);
    t.match(files.get('own'), { content: `own ${nth}` });
    t.match(files.get('seen'), { content: `Dockerfile\nlink\nonly${nth}\nown\n` });
    t.same(answer.text.match(/SECRET\d/g), [`SECRET${nth}`], 'its own argument alone');
  }
  await nothingLeft(t, daemon);
});

/** Bytes that no file holds, as a gzip stream. */
function bomb(bytes: number): Readable {
  const chunk = Buffer.alloc(1024 * 1024);
  const [head = Buffer.alloc(0)] = entryOf({ name: 'x', size: bytes });
  async function* all(): AsyncGenerator<Buffer> {
    yield head;
    for (let sent = 0; sent < bytes; sent += chunk.length) yield await Promise.resolve(chunk);
    yield Buffer.alloc(1024);
  }
  const zip = createGzip({ level: 6 });
  pipeline(Readable.from(all()), zip).catch(() => undefined);
  return zip;
}

function post(socketPath: string, body: Readable): Promise<{ status: number; said: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: '/build', method: 'POST' }, (answer) => {
      text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, said }), reject);
    });
    sent.once('error', reject);
    pipeline(body, sent).catch(() => undefined);
  });
}

const residentKib = (pid: number): number =>
  Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

test('a bomb is refused while the daemon stays small', async (t) => {
  const daemon = await world(t);
  const before = residentKib(daemon.pid());
  const { status, said } = await post(daemon.socket, bomb(2 * 2 ** 30));
  t.equal(status, 413, said);
  t.match(said, /Error processing tar file: /);
  t.ok(residentKib(daemon.pid()) < before + 64 * 1024, 'it holds less than 64 MB more');
  await nothingLeft(t, daemon);
});

test('nonsense is refused, whatever it is, and the daemon goes on', async (t) => {
  const daemon = await world(t);
  const pid = daemon.pid();
  const odd = ['\0', '-1', '[]', '{}', 'null', '"x"', '../../etc', 'a'.repeat(5000), '%ff', '9e99'];
  const names = [
    't', 'dockerfile', 'remote', 'cachefrom', 'buildargs', 'labels', 'ulimits', 'networkmode',
    'extrahosts', 'target', 'platform', 'memory', 'cpusetcpus', 'shmsize', 'outputs', 'version',
    'securityopt', 'isolation', 'cgroupparent',
  ];
  const files = { Dockerfile: `${base}RUN true\n` };
  const fates = new Set<number>();
  for (const name of names) {
    for (const value of odd) {
      const options: BuildOptions = { files, query: { [name]: value } };
      fates.add((await buildOn(daemon.socket, options)).status);
    }
  }
  t.same([...fates].filter((status) => ![200, 400, 404, 500].includes(status)), []);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(5000, 255), Buffer.from('FROM x\n')]) {
    t.ok((await post(daemon.socket, Readable.from([bytes]))).status >= 400);
  }
  t.ok((await post(daemon.socket, createReadStream('/bin/sh'))).status >= 400);
  t.equal(daemon.pid(), pid);
  t.equal((await daemon.api.get('/_ping')).status, 200);
  t.notOk(existsSync('/etc/Dockerfile'));
  await nothingLeft(t, daemon);
});
