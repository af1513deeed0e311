import { PassThrough } from 'node:stream';
import { test } from 'tap';
import { fullName, parseImageName, withDefaultTag } from '../../../cli/reference.js';
import { demultiplexer } from '../../../cli/terminal/demultiplex.js';
import { DetachWatcher, parseDetachKeys } from '../../../cli/terminal/detach-keys.js';
import { progressBar } from '../../../cli/terminal/progress.js';

const frame = (kind: number, text: string): Buffer => {
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

test('frames reach their stream, however they are cut', async (t) => {
  const bytes = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(0, 'zero'), frame(1, '')]);
  for (const size of [1, 3, 8, 9, bytes.length]) {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const sink = demultiplexer({ stdout, stderr });
    for (let at = 0; at < bytes.length; at += size) sink.write(bytes.subarray(at, at + size));
    await new Promise<void>((resolve) => sink.end(resolve));
    t.equal(String(stdout.read()), 'outzero', `pieces of ${size}`);
    t.equal(String(stderr.read()), 'err');
  }
});

test("the engine's own message in a stream ends it", async (t) => {
  for (
    const [kind, expected] of [
      [3, /error from daemon in stream: boom/],
      [7, /Unrecognized/],
    ] as const
  ) {
    const sink = demultiplexer({ stdout: new PassThrough(), stderr: new PassThrough() });
    const failure = new Promise<Error>((resolve) => sink.on('error', resolve));
    sink.write(frame(kind, 'boom'));
    t.match((await failure).message, expected);
  }
});

test('the detach keys never reach the container, what only resembles them does', async (t) => {
  const watcher = new DetachWatcher(parseDetachKeys(''));
  t.same(watcher.take(Buffer.from('a\x10')), { pass: Buffer.from('a'), isDetached: false });
  t.same(watcher.take(Buffer.from('b')), { pass: Buffer.from('\x10b'), isDetached: false });
  t.same(
    watcher.take(Buffer.from('\x10\x10\x11')),
    { pass: Buffer.from('\x10'), isDetached: true },
  );
});

test('detach keys are letters and ctrl combinations', async (t) => {
  t.same([...parseDetachKeys('a,ctrl-@,ctrl-z,ctrl-[')], [97, 0, 26, 27]);
  t.throws(() => parseDetachKeys('ctrl-1'), { message: /Unknown character/ });
});

test('image names are taken apart as the API does', async (t) => {
  t.equal(fullName(parseImageName('ubuntu')), 'docker.io/library/ubuntu:latest');
  t.equal(fullName(parseImageName('a/b:c')), 'docker.io/a/b:c');
  t.equal(withDefaultTag(parseImageName('docker.io/library/x')), 'x:latest');
  t.equal(withDefaultTag(parseImageName('localhost:5000/x/y:1')), 'localhost:5000/x/y:1');
  const digest = `sha256:${'a'.repeat(64)}`;
  t.match(parseImageName(`r.io/x@${digest}`), { domain: 'r.io', path: 'x', digest });
  for (const wrong of ['UP', 'a b', ':x', 'a:', 'a//b', '']) {
    t.throws(() => parseImageName(wrong), { message: /invalid reference format/ }, wrong);
  }
});

test('a bar fills with what is done', async (t) => {
  const detail = { current: 500, total: 1000 };
  t.equal(
    progressBar({ progressDetail: detail }, 120),
    `[${'='.repeat(25)}>${' '.repeat(25)}]      500B/1kB`,
  );
  t.equal(progressBar({ progressDetail: detail }, 80), '    500B/1kB');
  t.equal(progressBar({ progressDetail: {} }, 80), '');
});
