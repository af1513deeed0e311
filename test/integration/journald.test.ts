/** What a server at journald's socket is told, in its native protocol. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { openDatagrams } from '../../native/datagrams.js';
import type { SpooledLine } from '../../daemon/logs/ship/line.js';
import { toJournald } from '../../daemon/logs/ship/journald.js';
import { until } from '../support/containers.js';
import { datagramServer } from '../support/datagram-server.js';

const container = {
  id: 'abcdefabcdef0123', name: 'box', imageId: 'sha256:01', imageName: 'app:1',
  path: '/bin/run', args: [], config: { Labels: { 'com.team': 'a' }, Env: ['STAGE=x'] },
};

/** Fields of a message, as journald reads them. */
function fieldsOf(message: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < message.length; ) {
    const end = message.indexOf('\n', at);
    const line = message.subarray(at, end).toString();
    const equals = line.indexOf('=');
    if (equals >= 0) {
      fields.set(line.slice(0, equals), line.slice(equals + 1));
      at = end + 1;
      continue;
    }
    const length = Number(message.readBigUInt64LE(end + 1));
    fields.set(line, message.subarray(end + 9, end + 9 + length).toString());
    at = end + 10 + length;
  }
  return fields;
}

test('lines come with their container, and long ones as pieces', async (t) => {
  // Short, as the name of a socket must be, wherever the project lies.
  const folder = mkdtempSync(join(tmpdir(), 'tsd-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'socket');
  const server = await datagramServer(t, path);
  const options = { labels: 'com.team', env: 'STAGE', tag: '{{.Name}}' };
  const sender = await toJournald(path, container, options)(new AbortController().signal);
  t.teardown(() => sender.close());
  const line = (text: string, more: Partial<SpooledLine> = {}): SpooledLine => ({
    text, stream: 'stdout', time: '2026-01-02T03:04:05.6Z', isPartial: false, ...more,
  });
  await sender.send([
    line('hello'), line('two\rlines\nof it', { stream: 'stderr' }),
    line('begin', { isPartial: true }), line('end'), line('x'.repeat(1_000_000)),
  ]);
  await until('all have come', async () => server.messages.length === 5);
  const [hello, both, begin, end, long] = server.messages.map(fieldsOf);
  t.same(Object.fromEntries(hello ?? []), {
    MESSAGE: 'hello', PRIORITY: '6', SYSLOG_TIMESTAMP: '2026-01-02T03:04:05.6Z',
    CONTAINER_ID: 'abcdefabcdef', CONTAINER_ID_FULL: container.id, CONTAINER_NAME: 'box',
    CONTAINER_TAG: 'box', SYSLOG_IDENTIFIER: 'box', IMAGE_NAME: 'app:1', COM_TEAM: 'a', STAGE: 'x',
  });
  t.match([both?.get('PRIORITY'), both?.get('MESSAGE')], ['3', 'two\rlines\nof it']);
  const partial = (fields: ReadonlyMap<string, string> | undefined) =>
    ['MESSAGE', 'ID', 'ORDINAL', 'LAST'].map((name) => fields?.get(`CONTAINER_PARTIAL_${name}`));
  const id = begin?.get('CONTAINER_PARTIAL_ID');
  t.same(partial(begin), ['true', id, '1', 'false']);
  t.same(partial(end), [undefined, id, '2', 'true']);
  t.equal(long?.get('MESSAGE')?.length, 1_000_000, 'a large one comes as a memfd');
});

test('who is not there is told at once', async (t) => {
  t.throws(() => openDatagrams(join(t.testdir(), 'none')), { code: 'ENOENT' });
});
