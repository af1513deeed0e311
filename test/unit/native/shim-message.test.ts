import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { CWD, type LaunchProgram } from '../../../native/launch/opcodes.js';
import {
  encodeFrame,
  encodeLaunch,
  FrameSplitter,
  frameTypes,
} from '../../../native/shim/protocol.js';
import type { HeldSocket } from '../../../native/shim/held-socket.js';
import { reaped } from '../../../native/shim/reaping.js';
import { closeFds, socketPair, spawnShim } from '../../../native/spawn.js';
import { monitorIn } from '../../support/launch-programs.js';

const FAILED_BY_SHIM = 2;
const EBADMSG = 74;

/** What a shim answers to these bytes, once it has ended. */
async function answerTo(message: Buffer): Promise<Buffer> {
  const [ours, theirs] = socketPair();
  const pid = await spawnShim([theirs], 'test');
  closeFds([theirs]);
  const socket = new Socket({ fd: ours, readable: true, writable: true, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A shim that leaves with bytes unread resets the connection; what it said came before.
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.end(message);
  await closed;
  await reaped(pid);
  return Buffer.concat(chunks);
}

function validMessage(dir: string, held: readonly HeldSocket[] = []): Buffer {
  const program: LaunchProgram = {
    host: [
      { op: 'openat2', out: 1, dir: CWD, path: '/', flags: 0, mode: 0, resolve: 0 },
      { op: 'chdir', path: '/nonexistent', tolerate: ['ENOENT'], goto: 'end' },
      { op: 'jump', goto: 'end' },
      { op: 'close', fd: 1, label: 'end' },
      { op: 'chdir', path: '/nonexistent either' },
    ],
    init: [{ op: 'execve', paths: ['/bin/true'], argv: ['true'], env: [] }],
  };
  const monitor = monitorIn(dir, {}, { log: { kind: 'none' } });
  return encodeLaunch(program, monitor, { slots: [], held });
}

function emptyDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'tsdocker-message-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('a whole message is carried out up to the step that fails', async (t) => {
  const dir = emptyDir(t);
  const [frame] = new FrameSplitter().push(
    await answerTo(encodeFrame(frameTypes.launch, 0, validMessage(dir))),
  );
  t.equal(frame?.type, frameTypes.failed);
  t.same([0, 4, 8].map((at) => frame?.payload.readInt32LE(at)), [0, 4, 2]);
  t.same(readdirSync(dir), [], 'and leaves nothing');
});

test('sockets that were not passed are no sockets to hold', async (t) => {
  const held = [{ fd: -1, forward: { protocol: 'tcp', address: '10.0.0.1', port: 80 } }] as const;
  const message = encodeFrame(frameTypes.launch, 0, validMessage(emptyDir(t), held));
  const [frame] = new FrameSplitter().push(await answerTo(message));
  t.same([0, 8].map((at) => frame?.payload.readInt32LE(at)), [FAILED_BY_SHIM, EBADMSG]);
});

test('a message that is cut short is refused', async (t) => {
  const dir = emptyDir(t);
  const whole = validMessage(dir);
  for (let size = 0; size < whole.length; size += 13) {
    const cut = whole.subarray(0, size);
    const answer = await answerTo(encodeFrame(frameTypes.launch, 0, cut));
    const [frame] = new FrameSplitter().push(answer);
    const said = [frame?.payload.readUInt32LE(0), frame?.payload.readInt32LE(8)];
    t.same(said, [FAILED_BY_SHIM, EBADMSG]);
  }
  t.same(readdirSync(dir), []);
});

test('no damaged message does more than fail', async (t) => {
  const dir = emptyDir(t);
  const whole = validMessage(dir);
  let random = 12_345;
  for (let round = 0; round < 150; round++) {
    const damaged = Buffer.from(whole);
    for (let i = 0; i < 3; i++) {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
      const at = random % damaged.length;
      damaged[at] = [0, 1, 0x7f, 0x80, 0xff][random % 5] ?? 0;
    }
    // What was damaged may be a path: the shim then fails there. It must say so and not crash.
    const [frame] = new FrameSplitter().push(
      await answerTo(encodeFrame(frameTypes.launch, 0, damaged)),
    );
    if (frame?.type !== frameTypes.failed) t.fail(`round ${round}: no answer`);
  }
  t.pass('each was answered');
});

test('what is no launch message at all is refused', async (t) => {
  const frames = [
    encodeFrame(frameTypes.hello, 0, Buffer.alloc(4)),
    encodeFrame(frameTypes.launch, 0, Buffer.alloc(0)),
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  ];
  for (const bytes of frames) {
    const [frame] = new FrameSplitter().push(await answerTo(bytes));
    t.equal(frame?.type, frameTypes.failed);
  }
});
