/** `tsdocker stats` on a terminal: a table that is drawn over itself, of whoever runs just now. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import tap, { test } from 'tap';
import { run, until } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

tap.setTimeout(120_000);

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'containers need root' };
const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));

test('containers come into the table, and leave it', needsRoot, async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const command = ['sleep', '600'];
  await run(daemon, { name: 'first', command });
  const child = spawn('script', ['-qec', `${process.execPath} ${program} stats`, '/dev/null'], {
    env: { ...process.env, DOCKER_HOST: `unix://${daemon.socket}` },
  });
  t.teardown(() => child.kill());
  let drawn = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (drawn += text));
  /** The last picture that is whole. */
  const picture = (): string => drawn.split('\x1b[H').at(-2) ?? '';
  const row = (name: string): RegExp => new RegExp(
    `^[0-9a-f]{12} +${name} +\\d+\\.\\d\\d% +\\S+iB / \\S+iB +\\d+\\.\\d\\d% +` +
      '\\S+B / \\S+B +\\S+B / \\S+B +[1-9]\\d* *\\x1b\\[K\\r$', 'm');
  await until('the first is shown', async () => row('first').test(picture()), 30_000);
  t.match(picture(), /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT .* PIDS *\x1b\[K\r\n/);
  t.match(picture(), /\x1b\[J$/, 'what was below is wiped');
  t.notMatch(drawn, /\x1b\[2J/, 'nothing flickers');
  const second = await run(daemon, { name: 'second', command });
  await until('the second too', async () => row('second').test(picture()), 30_000);
  await daemon.api.post(`/containers/${second}/kill`);
  await until('one has gone', async () => !picture().includes('second'), 30_000);
  t.match(picture(), row('first'));
  t.equal(child.exitCode, null, 'it goes on');
});
