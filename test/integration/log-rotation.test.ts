/** Logs of real containers while they are rotated, compressed and read. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { test } from 'tap';
import { logText, run, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { logEntries } from '../support/log-frames.js';

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

const textOf = (frames: Buffer): string =>
  Buffer.concat(logEntries(frames).map(({ bytes }) => bytes)).toString();

async function read(daemon: TestDaemon, id: string, query = ''): Promise<string> {
  const path = `/containers/${id}/logs?stdout=1&stderr=1${query}`;
  return textOf((await daemon.api.get(path, { timeoutMs: 120_000 })).bytes);
}

const numbersOf = (text: string): readonly number[] => text.split('\n').slice(0, -1).map(Number);

/** Whether each is one more than the one before; tells the first place where it is not. */
function gapIn(numbers: readonly number[]): string | undefined {
  const at = numbers.findIndex((number, index) => index > 0 && number !== numbers[index - 1]! + 1);
  return at < 0 ? undefined : `${numbers[at - 1]} is followed by ${numbers[at]}`;
}

async function logFolder(daemon: TestDaemon, id: string): Promise<string> {
  return dirname(String((await daemon.api.get(`/containers/${id}/json`)).json.LogPath));
}

const namesOf = (folder: string): readonly string[] =>
  readdirSync(folder).filter((name) => name.includes('.log')).sort();

test('rotated files are compressed, and read as one log', async (t) => {
  const daemon = await world(t);
  const script = 'i=0; while [ $i -lt 30 ]; do seq $((i*1000)) $((i*1000+999)); i=$((i+1)); ' +
    'sleep 0.02; done; sleep 1000';
  const Config = { 'max-size': '256k', 'max-file': '30', compress: 'true' };
  const id = await run(daemon, {
    command: ['sh', '-c', script],
    host: { LogConfig: { Type: 'json-file', Config } },
  });
  const following = read(daemon, id, '&follow=1');
  const folder = await logFolder(daemon, id);
  const last = (): Promise<string> => read(daemon, id, '&tail=1');
  await until('the last line is there', async () => (await last()) === '29999\n');
  await until('all that was rotated is compressed', async () =>
    namesOf(folder).slice(1).every((name) => name.endsWith('.gz')));
  const names = namesOf(folder);
  t.ok(names.length > 5, names.join(' '));
  const all = numbersOf(await read(daemon, id));
  t.equal(all.length, 30_000);
  t.equal(gapIn(all), undefined);
  for (const tail of [1, 5000, 29_999]) {
    const numbers = numbersOf(await read(daemon, id, `&tail=${tail}`));
    t.match([numbers.length, numbers[0], gapIn(numbers)], [tail, 30_000 - tail, undefined]);
  }
  await daemon.api.post(`/containers/${id}/kill`);
  const followed = numbersOf(await following);
  t.match([followed.length, gapIn(followed)], [30_000, undefined], 'a follower saw each line once');
  t.equal(namesOf(folder).some((name) => name.includes('.z')), false, 'no draft is left');
});

test('times are found across rotated and compressed files', async (t) => {
  const daemon = await world(t);
  const script = 'for i in 1 2 3 4 5 6; do seq 5000; echo mark $i; sleep 0.3; done; sleep 1000';
  const Config = { 'max-size': '100k', 'max-file': '100', compress: 'true' };
  const id = await run(daemon, {
    command: ['sh', '-c', script],
    host: { LogConfig: { Type: 'json-file', Config } },
  });
  await until('all is written', async () => (await read(daemon, id, '&tail=1')) === 'mark 6\n');
  const marks = (await read(daemon, id, '&timestamps=1'))
    .split('\n')
    .filter((line) => line.includes('mark'))
    .map((line) => line.split(' ')[0] ?? '');
  t.equal(marks.length, 6);
  const nano = (stamp: string): string => {
    const [seconds, rest] = stamp.split('.');
    return `${Date.parse(`${seconds}Z`) / 1000}.${rest?.replace('Z', '')}`;
  };
  const [, , third = '', , fifth = ''] = marks;
  const text = await read(daemon, id, `&since=${nano(third)}&until=${nano(fifth)}`);
  t.same(text.match(/mark \d/g), ['mark 3', 'mark 4', 'mark 5']);
});

for (const compress of ['false', 'true']) {
  test(`a writer at full speed, read while it is rotated; compress ${compress}`, async (t) => {
    const daemon = await world(t);
    const count = 1_500_000;
    const Config = { 'max-size': '8m', 'max-file': '5', compress };
    const since = (Date.now() / 1000).toFixed(3);
    const id = await run(daemon, {
      command: ['sh', '-c', `sleep 0.3; seq 0 ${count - 1}`],
      host: { LogConfig: { Type: 'json-file', Config } },
    });
    const following = [read(daemon, id, '&follow=1'), read(daemon, id, '&follow=1&tail=0')];
    let readings = 0;
    for (let isOver = false; !isOver; readings += 1) {
      isOver = (await daemon.api.get(`/containers/${id}/json`)).json.State.Running === false;
      for (const query of ['', '&tail=1000', `&since=${since}`]) {
        const gap = gapIn(numbersOf(await read(daemon, id, query)));
        t.equal(gap, undefined, `reading ${readings}${query}`);
      }
    }
    for (const text of following) {
      const numbers = numbersOf(await text);
      t.equal(gapIn(numbers), undefined);
      t.match([numbers.length, numbers[0], numbers.at(-1)], [count, 0, count - 1]);
    }
    t.equal(numbersOf(await read(daemon, id, '&tail=1'))[0], count - 1);
  });
}

test('damaged lines stop no reader', async (t) => {
  const daemon = await world(t);
  const id = await run(daemon, { command: ['sh', '-c', 'echo one; sleep 1; echo two'] });
  const following = read(daemon, id, '&follow=1');
  const { appendFileSync } = await import('node:fs');
  const { json } = await daemon.api.get(`/containers/${id}/json`);
  await until('one is there', async () => (await logText(daemon, id)) === 'one\n');
  const damage = `{"log":"torn\0\0\nnonsense\n{"log":1}\n${'\0'.repeat(9000)}\n`;
  appendFileSync(String(json.LogPath), damage);
  t.equal(await following, 'one\ntwo\n');
  t.equal(await logText(daemon, id), 'one\ntwo\n');
});

test('local: its own files, compressed unless said otherwise, and read like others', async (t) => {
  const daemon = await world(t);
  const id = await run(daemon, {
    command: ['sh', '-c', 'seq 20000; sleep 1000'],
    host: { LogConfig: { Type: 'local', Config: { 'max-size': '200k' } } },
  });
  const { json } = await daemon.api.get(`/containers/${id}/json`);
  t.equal(json.LogPath, '');
  const folder = `${daemon.dataRoot}/containers/${id}`;
  await until('it is there', async () => (await read(daemon, id, '&tail=1')) === '20000\n');
  await until('it is compressed', async () =>
    namesOf(folder).some((name) => name === 'local.log.1.gz'));
  t.equal(gapIn(numbersOf(await read(daemon, id))), undefined);
});

test('attributes of lines are shown as details', async (t) => {
  const daemon = await world(t);
  const Config = { labels: 'team', env: 'STAGE', tag: '{{.Name}}' };
  const id = await run(daemon, {
    name: 'told',
    command: ['echo', 'hello'],
    config: { Labels: { team: 'a b', other: '1' }, Env: ['STAGE=x=y'] },
    host: { LogConfig: { Type: 'json-file', Config } },
  });
  await sleep(300);
  t.equal(await read(daemon, id, '&details=1'), 'STAGE=x%3Dy,tag=told,team=a+b hello\n');
});
