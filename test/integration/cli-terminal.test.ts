/** `tsdocker` on a real terminal: its size, changes of it, and the keys that leave a container. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { stateOf } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));

/** What somebody at a terminal does, one after the other; types again until it is seen. */
interface Step {
  readonly type?: string;
  readonly sees?: string;
  readonly size?: readonly [rows: number, columns: number];
}

/** Carries out the steps of its first argument around the command that follows. */
const person = `
import fcntl, json, os, pty, select, struct, sys, termios, time
steps, argv = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
if pid == 0:
    resize(0, 33, 99)
    os.execv(argv[0], argv)
seen, shown = b'', b''
def read(seconds):
    global seen, shown
    if not select.select([terminal], [], [], seconds)[0]: return False
    try: data = os.read(terminal, 65536)
    except OSError: return False
    seen, shown = seen + data, shown + data
    return bool(data)
def see(wanted, typed):
    global seen
    deadline = time.monotonic() + 60
    while wanted not in seen:
        if not read(2) and time.monotonic() > deadline:
            sys.stderr.write('never seen: %s; but %r' % (wanted, shown))
            sys.exit(99)
        if typed and wanted not in seen: os.write(terminal, typed)
    seen = seen[seen.index(wanted) + len(wanted):]
for step in steps:
    typed = step.get('type', '').encode()
    if 'size' in step: resize(terminal, *step['size'])
    if typed: os.write(terminal, typed)
    if 'sees' in step: see(step['sees'].encode(), typed)
while read(60): pass
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

test('run -it: size, resize, detach keys, attach, exit code', {
  skip: process.getuid?.() === 0 ? false : 'a daemon needs root',
}, async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const env = { ...process.env, DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: '/none' };
  const atTerminal = (words: readonly string[], steps: readonly Step[]) =>
    new Promise<{ readonly code: number; readonly shown: string }>((resolve) => {
      const argv = ['-c', person, JSON.stringify(steps), process.execPath, program, ...words];
      execFile('python3', argv, { env, timeout: 120_000 }, (problem, stdout, stderr) =>
        resolve({
          code: problem === null ? 0 : Number(problem.code), shown: stderr + stdout,
        }));
    });
  const script = 'stty size; ' +
    'while read -r word; do echo "$word: $(stty size)"; [ "$word" = end ] && exit 5; done';
  const left = await atTerminal(
    ['run', '-it', '--name', 'term', '--network', 'none', 'tsdocker-demo', 'sh', '-c', script],
    [
      { sees: '33 99' }, { type: 'one\r', sees: 'one: 33 99' },
      { size: [44, 111], type: 'two\r', sees: 'two: 44 111' }, { type: '\x10\x11' },
    ],
  );
  t.equal(left.code, 0, `ctrl-p ctrl-q leaves it: ${left.shown}`);
  const running = async () => (await stateOf(daemon, 'term')).Running;
  t.equal(await running(), true);
  const own = await atTerminal(
    ['attach', '--detach-keys', 'ctrl-x,x', 'term'],
    [{ type: 'three\r', sees: 'three: 33 99' }, { type: '\x18x' }],
  );
  t.not(own.code, 99, `keys of its own leave it, too: ${own.shown}`);
  t.equal(await running(), true);
  const ended = await atTerminal(['attach', 'term'], [{ type: 'end\r' }, { sees: 'end: ' }]);
  t.equal(ended.code, 5, `the exit code is the container's: ${ended.shown}`);
});
