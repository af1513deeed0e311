/**
 * Execs by an engine that keeps no book: `bare-exec SOCKET`. The daemon's own runtime behind a
 * plain server of Node, without routes, checks, records, locks and events.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { ExecRequest, LiveExec } from '../../daemon/runtime/exec-task.js';
import { openRuntimeWorld } from '../../test/support/runtime-world.js';
import { answer, beginOutput } from './answer.js';

const container = { command: ['/bin/sleep', '100000'] };

const world = openRuntimeWorld();
mkdirSync(join(world.folder, 'exec', 'e'), { recursive: true });
const record = world.record(container);
const request = world.request(record, container);
const task = await world.runtime.create(request);
await task.start();

/** What was made last, and what it ended with. */
let expected: ExecRequest | undefined;
let live: LiveExec | undefined;

interface Wish {
  readonly Cmd: readonly string[];
}

function make(response: ServerResponse, { Cmd: command }: Wish): void {
  const id = randomBytes(32).toString('hex');
  expected = {
    exec: {
      id, containerId: record.id, command, user: '', env: [], workingDir: '', tty: false,
      privileged: false, stdin: false, stdout: true, stderr: true,
    },
    container: record,
    task,
    rootfs: () => Promise.resolve(request.rootfs),
    attach: {
      stdin: false, stdout: true, stderr: true, framed: true, detachKeys: new Uint8Array(),
    },
  };
  answer(response, 201, { Id: id });
  world.runtime.expectExec(expected);
}

async function start(response: ServerResponse): Promise<void> {
  if (expected === undefined) throw new Error('nothing was made');
  live = await world.runtime.exec(expected);
  beginOutput(response);
  if (live.stream !== undefined) await pipeline(live.stream, response);
}

async function serve(asking: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = asking.url ?? '';
  if (path.startsWith('/exec/') && asking.method === 'GET') {
    const { exitCode } = (await live?.task.exited) ?? {};
    await live?.task.dispose();
    return answer(response, 200, { ID: expected?.exec.id, Running: false, ExitCode: exitCode });
  }
  const asked: unknown = await json(asking);
  if (path.startsWith('/exec/')) return start(response);
  make(response, asked as Wish);
}

const server = createServer((asking, response) => {
  serve(asking, response).catch((problem: unknown) => {
    process.stderr.write(`bare-exec: ${String(problem)}\n`);
    response.destroy();
  });
});
server.listen(process.argv[2]);
process.stdin.resume().once('end', () => {
  void task.dispose().then(world.close).then(() => process.exit(0));
});
