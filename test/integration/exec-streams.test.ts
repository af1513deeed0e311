/** Many execs at once, and more output than fits anywhere. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { startBox } from '../support/box.js';
import { until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';

const pageBytes = 4096;
/** `TSDOCKER_FLOOD_BYTES=10000000000` makes it ten gigabytes, which takes a minute or two. */
const floodBytes = Number(process.env['TSDOCKER_FLOOD_BYTES'] ?? 1_000_000_000);

async function created(daemon: TestDaemon, script: string): Promise<string> {
  const body = { Cmd: ['sh', '-c', script], AttachStdout: true, AttachStderr: true };
  const answer = await daemon.api.post('/containers/box/exec', body);
  if (answer.status !== 201) throw new Error(`exec: ${answer.status} ${answer.text}`);
  return String(answer.json.Id);
}

function unframed(frames: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= frames.length; at += 8 + frames.readUInt32BE(at + 4)) {
    parts.push(frames.subarray(at + 8, at + 8 + frames.readUInt32BE(at + 4)));
  }
  return Buffer.concat(parts).toString();
}

/** Resident bytes of the daemon, and of the shims of its execs. */
function residentBytes(daemon: TestDaemon): number {
  const isOurs = (pid: string): boolean => {
    if (pid === String(daemon.pid())) return true;
    return /^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1] === String(daemon.pid());
  };
  const pages = (pid: string): number => Number(read(`/proc/${pid}/statm`).split(' ')[1] ?? 0);
  const ours = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOurs(name));
  return ours.reduce((sum, pid) => sum + pages(pid), 0) * pageBytes;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}

test('a hundred execs at once, each with its own output and exit code', async (t) => {
  const daemon = await startBox(t);
  const one = async (number: number): Promise<string> => {
    const exec = await created(daemon, `echo ${number}; sleep 0.2; echo end; exit ${number}`);
    const { bytes } = await daemon.api.post(`/exec/${exec}/start`, { Detach: false });
    const { json } = await daemon.api.get(`/exec/${exec}/json`);
    return `${unframed(bytes)}${String(json.Running)} ${String(json.ExitCode)}`;
  };
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  const said = await Promise.all(numbers.map(one));
  t.same(said, numbers.map((number) => `${number}\nend\nfalse ${number}`));
  await until('no shim is left', async () => readdirSync(`${daemon.execRoot}/e`).length === 0);
});

test('a slow reader of a flood gets all of it, and costs no memory', async (t) => {
  const daemon = await startBox(t);
  const sizeBytes = floodBytes;
  await daemon.api.post(`/exec/${await created(daemon, 'true')}/start`, { Detach: false });
  const before = residentBytes(daemon);
  const exec = await created(daemon, `head -c ${sizeBytes} /dev/zero; exit 3`);
  const response = await daemon.api.open(`/exec/${exec}/start`, {
    method: 'POST', body: { Detach: false }, timeoutMs: 300_000,
  });
  let [received, most, pauses] = [0, 0, 0];
  for await (const part of response) {
    received += (part as Buffer).length;
    if (received / 20_000_000 < pauses) continue;
    pauses += 1;
    most = Math.max(most, residentBytes(daemon));
    await sleep(50);
  }
  // Frames hold up to 32 KiB behind their heads.
  t.ok(received > sizeBytes && received < sizeBytes * 1.01, `${received} bytes`);
  t.ok(most - before < 100_000_000, `${most - before} bytes more at most`);
  t.equal((await daemon.api.get(`/exec/${exec}/json`)).json.ExitCode, 3);
});
