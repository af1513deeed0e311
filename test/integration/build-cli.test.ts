/** `tsdocker build`: live on a terminal, plain lines elsewhere; what it sends, and to where. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { test } from 'tap';
import { filesOf } from '../support/builds.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { pty } from '../support/pty.js';

const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));
const base = 'FROM tsdocker-demo\n';

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: readonly string[], input = ''): Promise<Ran> {
  const [name = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(name, args, { timeout: 60_000 });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

const cli = ({ socket }: TestDaemon, ...args: readonly string[]): readonly string[] => [
  process.execPath, program, '-H', `unix://${socket}`, 'build', ...args,
];

/** Waits until another has begun, and then long enough to be drawn beside it. */
const meet =
  'echo said by $1; touch /m/$1; for i in $(seq 600); do test -e /m/$2 && break; usleep 100000; ' +
  'done; sleep 2; test -e /m/$2\n';
const meets = (name: string, other: string): string =>
  `${base.trim()} AS ${name}\n` +
  `RUN --mount=target=/x --mount=type=cache,target=/m sh /x/meet ${name} ${other}\n`;
const stages =
  `${meets('one', 'two')}${meets('two', 'one')}` +
  'FROM scratch\nCOPY --from=one /www /1\nCOPY --from=two /www /2\n';

test('on a terminal stages and their steps are live, side by side', async (t) => {
  const daemon = await world(t);
  const folder = t.testdir({ Dockerfile: stages, meet });
  const iidfile = join(folder, 'iid');
  const flags = ['-t', 'live', '--iidfile', iidfile, folder];
  const { code, stdout } = await run([...pty, ...cli(daemon, ...flags)]);
  t.equal(code, 0, stdout);
  t.match(stdout, /\u001b\[\d+A\r\u001b\[J/, 'lines are drawn anew');
  const frames = stdout.split('\u001b[J');
  const isBoth = (frame: string): boolean =>
    ['one', 'two'].every((name) => new RegExp(`\\d\\.\\ds {2}said by ${name}\r`).test(frame));
  t.ok(frames.some(isBoth), 'both run at once, and speak');
  t.match(stdout, / => \[one 2\/7\] RUN [^\r]* {2}\d+\.\ds\r\n/);
  t.match(stdout, / => \[stage-2 6\/7\] COPY --from=one /);
  t.match(stdout, /Successfully tagged live:latest\r\n/);
  t.equal(readFileSync(iidfile, 'utf8'), (await daemon.api.get('/images/live/json')).json.Id);
  const again = await run([...pty, ...cli(daemon, folder)]);
  t.match(again.stdout, /\[two 4\/7\] RUN [^\r]* {2}CACHED\r\n/);
});

test('on a terminal a step that fails shows what it said', async (t) => {
  const daemon = await world(t);
  const folder = t.testdir({ Dockerfile: `${base}RUN echo the reason >&2; exit 3\n` });
  const { code, stdout } = await run([...pty, ...cli(daemon, '--force-rm', folder)]);
  t.equal(code, 1);
  t.match(stdout, / => ERROR \[stage-0 2\/2\] RUN [^\n]*\n {4}the reason\r\n/);
  t.match(stdout, /returned a non-zero code: 3/);
});

test('elsewhere there are plain lines, and an id alone if it is to be quiet', async (t) => {
  const daemon = await world(t);
  const folder = t.testdir({ Dockerfile: stages, meet });
  const plain = await run(cli(daemon, '-t', 'plain', folder));
  t.equal(plain.code, 0);
  t.match(plain.stdout, /^Step 1\/7 : FROM tsdocker-demo AS one\n ---> \w{12}\nStep 2\/7 : RUN /);
  t.notMatch(plain.stdout, /\u001b\[\d*[AJ]/);
  const iidfile = join(folder, 'iid');
  const quiet = await run(cli(daemon, '-q', '--iidfile', iidfile, folder));
  t.match(quiet, { code: 0, stdout: /^sha256:\w{64}\n$/, stderr: '' });
  t.equal(readFileSync(iidfile, 'utf8'), quiet.stdout.trim());
  const live = await run([...pty, ...cli(daemon, '-q', folder)]);
  t.match(live.stdout, /^sha256:\w{64}\r\n$/, 'on a terminal too');
});

test('what is ignored is not sent, and a Dockerfile from elsewhere is not copied', async (t) => {
  const daemon = await world(t);
  const folder = t.testdir({
    Dockerfile: 'FROM scratch\n',
    '.dockerignore': 'no\nsub\n!sub/yes\n',
    no: '',
    kept: '',
    sub: { no: '', yes: '' },
  });
  const names = async (image: string): Promise<readonly string[]> =>
    [...(await filesOf(daemon.socket, image)).keys()].filter((path) => path.startsWith('c/'));
  const copying = `${base}COPY . /c/\n`;
  const piped = await run(cli(daemon, '-t', 'sent', '-f', '-', folder), copying);
  t.equal(piped.code, 0, piped.stderr);
  t.same(await names('sent'), [
    'c/.dockerignore', 'c/Dockerfile', 'c/kept', 'c/sub', 'c/sub/yes',
  ]);
  const bad = t.testdir({ Dockerfile: base, '.dockerignore': '[a\n' });
  const refused = await run(cli(daemon, bad));
  t.match(refused, { code: 1, stderr: /error checking context: .*syntax error in pattern/ });
});
