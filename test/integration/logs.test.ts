import {
  appendFileSync, readdirSync, readlinkSync, renameSync, truncateSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import type { ReadLogsOptions } from '../../daemon/logs/read.js';
import { readLogs } from '../../daemon/logs/read.js';

const jsonLine = (log: string, stream = 'stdout'): string =>
  `${JSON.stringify({ log, stream, time: new Date().toISOString() })}\n`;

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, n) => jsonLine(`${from + n}\n`)).join('');

const plain: ReadLogsOptions = {
  stdout: true, stderr: true, timestamps: false, details: false, framing: 'raw', follow: false,
};

async function textOf(path: string, options: Partial<ReadLogsOptions> = {}): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of readLogs(path, { ...plain, ...options })) parts.push(part);
  return Buffer.concat(parts).toString();
}

const numbersOf = (text: string): readonly number[] => text.split('\n').slice(0, -1).map(Number);
const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);

/** A log as the shim writes it: rotated by rename, `files` in all. */
function rotatingLog(directory: string, files: number) {
  const path = join(directory, 'x-json.log');
  const name = (number: number): string => (number === 0 ? path : `${path}.${number}`);
  const exists = (number: number): boolean =>
    readdirSync(directory).includes(name(number).slice(directory.length + 1));
  return {
    path,
    write: (text: string) => appendFileSync(path, text),
    rotate: () => {
      for (let number = files - 2; number >= 0; number -= 1) {
        if (exists(number)) renameSync(name(number), name(number + 1));
      }
      writeFileSync(path, '');
    },
  };
}

const openUnder = (directory: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false; // the descriptor of the listing itself
    }
  }).length;

test('a log that does not exist is empty', async (t) => {
  t.equal(await textOf(join(t.testdir(), 'none')), '');
});

test('rotated files are read oldest first, as one log', async (t) => {
  const directory = t.testdir();
  const log = rotatingLog(directory, 4);
  for (const start of [0, 100, 200]) {
    if (start > 0) log.rotate();
    log.write(numbered(start, start + 100));
  }
  t.same(numbersOf(await textOf(log.path)), range(0, 300));
  t.equal(openUnder(directory), 0, 'no descriptor stays open');
});

test('a tail of any length is exact, across chunks and files', async (t) => {
  const log = rotatingLog(t.testdir(), 4);
  log.write(numbered(0, 3000));
  log.rotate();
  log.write(numbered(3000, 3010));
  for (const tail of [0, 1, 9, 10, 11, 1500, 3009, 3010, 9999]) {
    const wanted = range(Math.max(0, 3010 - tail), 3010);
    t.same(numbersOf(await textOf(log.path, { tail })), wanted, `tail ${tail}`);
  }
});

test('a line that is still being written is not shown before it ends', async (t) => {
  const log = rotatingLog(t.testdir(), 2);
  const line = jsonLine('2\n');
  log.write(numbered(0, 2) + line.slice(0, 20));
  t.same(numbersOf(await textOf(log.path)), [0, 1]);
  t.same(numbersOf(await textOf(log.path, { tail: 1 })), [1]);
  log.write(line.slice(20));
  t.same(numbersOf(await textOf(log.path)), [0, 1, 2]);
});

test('lines longer than a chunk arrive whole', async (t) => {
  const log = rotatingLog(t.testdir(), 2);
  const long = 'x'.repeat(700_000);
  log.write(jsonLine(long) + jsonLine('end'));
  t.equal(await textOf(log.path), `${long}end`);
});

test('a follower loses and doubles nothing through many rotations', async (t) => {
  const directory = t.testdir();
  const log = rotatingLog(directory, 50);
  let finish = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const reading = textOf(log.path, { follow: true, ended });
  for (let start = 0; start < 2000; start += 50) {
    log.write(numbered(start, start + 25));
    if (start % 150 === 0) await sleep(3);
    log.write(numbered(start + 25, start + 50));
    log.rotate();
  }
  finish();
  t.same(numbersOf(await reading), range(0, 2000));
  t.equal(openUnder(directory), 0);
});

test('a follower sees a line at once', async (t) => {
  const log = rotatingLog(t.testdir(), 2);
  log.write(numbered(0, 1));
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const reading = readLogs(log.path, {
    ...plain,
    follow: true,
    tail: 0,
    signal: stop.signal,
    ended: new Promise(() => undefined),
  });
  const next = reading.next();
  await sleep(50);
  const wroteAtMs = performance.now();
  log.write(numbered(7, 8));
  t.equal(String((await next).value), '7\n');
  t.ok(performance.now() - wroteAtMs < 500, 'not by the fall-back');
  stop.abort();
  t.equal((await reading.next()).done, true);
});

test('a follower of a container that has not started waits for its log', async (t) => {
  const log = rotatingLog(t.testdir(), 2);
  const ended = sleep(150);
  setTimeout(() => log.write(numbered(0, 3)), 50);
  t.same(numbersOf(await textOf(log.path, { follow: true, ended })), [0, 1, 2]);
});

test('a log that is truncated in place of rotated goes on', async (t) => {
  const log = rotatingLog(t.testdir(), 1);
  log.write(numbered(0, 10));
  const ended = sleep(300);
  const reading = textOf(log.path, { follow: true, ended });
  await sleep(100);
  truncateSync(log.path);
  log.write(numbered(10, 12));
  t.same(numbersOf(await reading), range(0, 12));
});
