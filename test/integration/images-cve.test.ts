/**
 * Old holes of engines, as far as images opened them. Others are tested where they belong:
 * CVE-2021-41089, 2021-32760, 2014-9356 (tars that lead out): `unpack`; CVE-2021-41190 (a document
 * that is two): `registry-lies`; CVE-2020-15157, 2019-10214 (credentials elsewhere): `registry`,
 * `registry-hosts`, `registry-limits`; CVE-2014-5277 (no TLS): `registry-tokens`; CVE-2021-21285
 * (nonsense): `images-fuzz`; CVE-2024-24557 (a cache that was pulled): `build-cache`; those of
 * builds: `build-hostile`.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { tarEnd } from '../../daemon/archive/index.js';
import { buildOn } from '../support/builds.js';
import { logText, output, run } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { demoRootfs, importDemoImage } from '../support/demo-image.js';
import { tarOf } from '../support/tar.js';

const needsRoot = { skip: process.geteuid?.() === 0 ? false : 'containers need root' };

/** The demo image with these links in it, as `linked`. */
async function importLinked(
  { api }: TestDaemon,
  links: Readonly<Record<string, string>>,
  changes: readonly string[],
): Promise<void> {
  const entries = Object.entries(links).map(([name, link]) => ({ name, type: '2', link }));
  const root = demoRootfs();
  const body = Buffer.concat([root.subarray(0, root.length - tarEnd.length), tarOf(entries)]);
  const query = changes.map((change) => `&changes=${encodeURIComponent(change)}`).join('');
  const { text } = await api.post(`/images/create?fromSrc=-&repo=linked${query}`, body);
  if (text.includes('error')) throw new Error(text);
}

test('CVE-2022-23648, 2018-10856, 2025-9566: links of an image stay in it', needsRoot, async (t) => {
  const canary = join(t.testdir({}), 'canary');
  mkdirSync(canary);
  writeFileSync(join(canary, 'secret'), 'of the host');
  const daemon = await startDaemon(t);
  const links = {
    // The same words mean a folder of the host, and one that the image does not have.
    'to-host': canary,
    'up-to-host': `../../../../../../../..${canary}`,
    // This one means a folder that both have.
    'to-etc': '/etc',
  };
  const volumes = Object.keys(links).map((name) => `/${name}`);
  await importLinked(daemon, links, [`VOLUME ${JSON.stringify(volumes)}`]);
  const list = 'for d in /to-host /up-to-host /to-etc; do echo $d:$(ls $d); done';
  const config = { Image: 'linked' };
  const listed = await output(daemon, { command: ['sh', '-c', list], config });
  t.match(listed.text, /^\/to-host:\n\/up-to-host:\n\/to-etc:.*passwd/);
  t.match(listed.text, /^\/to-etc:(?:(?!shadow).)*$/m, 'of the image, not of the host');

  for (const WorkingDir of ['/to-host/made', '/up-to-host/made', '/to-etc/made']) {
    const there = { ...config, WorkingDir };
    const { text } = await output(daemon, { command: ['ls', '-a', '..'], config: there });
    t.notMatch(text, /secret/);
  }
  t.same(readdirSync(canary), ['secret'], 'nothing was made there');
});

/** What a container always has. */
const own = (hostname: string, rest: readonly string[]): readonly string[] =>
  [
    'HOME=/root',
    `HOSTNAME=${hostname}`,
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...rest,
  ].sort();

const lines = (text: string): readonly string[] => text.trim().split('\n').sort();

test('CVE-2021-3602, 2021-21334: variables are those that were declared', needsRoot, async (t) => {
  const daemon = await startDaemon(t, { environment: { TSDOCKER_TEST_SECRET: 'of the daemon' } });
  const { api } = daemon;
  await importDemoImage(api);
  const hostname = 'here';
  const config = { Env: ['A=b'], Hostname: hostname };
  const { text } = await output(daemon, { command: ['env'], config });
  t.same(lines(text), own(hostname, ['A=b']), 'of a container');

  const id = await run(daemon, { command: ['sleep', '60'], config });
  const exec = { Cmd: ['env'], Env: ['X=y'], AttachStdout: true, Tty: true };
  const made = await api.post(`/containers/${id}/exec`, exec);
  const said = await api.post(`/exec/${String(made.json.Id)}/start`, { Tty: true });
  t.same(
    lines(said.text.replaceAll('\r', '')),
    own(hostname, ['A=b', 'TERM=xterm', 'X=y']),
    'of an exec',
  );
  t.equal(await logText(daemon, id), '');

  const Dockerfile =
    'FROM tsdocker-demo\nARG ARGUED=1\nENV SET=2\n' +
    'RUN tr "\\0" "\\n" < /proc/1/environ | sed s/^/=/; hostname\n';
  const query = { buildargs: JSON.stringify({ http_proxy: 'p', UNDECLARED: 'x' }) };
  const built = await buildOn(daemon.socket, { files: { Dockerfile }, query });
  const seen = built.text.split('\n').flatMap((line) => (/^=/.test(line) ? [line.slice(1)] : []));
  const name = /HOSTNAME=(\w+)/.exec(built.text)?.[1] ?? '';
  t.same([...seen].sort(), own(name, ['ARGUED=1', 'SET=2', 'http_proxy=p']), 'of a RUN');
});
