import { test } from 'tap';
import { encodeEvent, eventsFormat } from '../../../daemon/http/event-stream.js';
import { answerHead, needsHold, outputType } from '../../../daemon/http/hijack.js';
import { decodeRegistryAuth } from '../../../daemon/http/registry-auth.js';
import { frameHead } from '../../../daemon/http/streams.js';

const credentials = { username: 'ann~?>', password: 'b' };
const encoded = Buffer.from(JSON.stringify(credentials)).toString('base64');

test('credentials come in either alphabet, with or without padding', async (t) => {
  const urlSafe = encoded.replaceAll('+', '-').replaceAll('/', '_');
  for (const header of [encoded, urlSafe, urlSafe.replaceAll('=', '')]) {
    t.same(decodeRegistryAuth(header), credentials);
  }
});

test('credentials that cannot be read are none', async (t) => {
  for (const header of [undefined, '', '!!!', 'e30=', Buffer.from('[1]').toString('base64')]) {
    t.same(decodeRegistryAuth(header), {});
  }
});

test('an upgrade is answered with 101, its absence with 200 and no length', async (t) => {
  const type = 'application/vnd.docker.raw-stream';
  t.equal(
    answerHead('tcp', type, { 'Api-Version': '1.51' }),
    `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n` +
      'Api-Version: 1.51\r\n\r\n',
  );
  t.match(answerHead(undefined, type, {}), /^HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n\r\n$/s);
});

test('output is called multiplexed without a terminal from 1.42 on', async (t) => {
  t.match(outputType(false, 42), /multiplexed/);
  t.match(outputType(false, 41), /raw/);
  t.match(outputType(true, 51), /raw/);
});

test('only docker-py waits for its first byte', async (t) => {
  t.equal(needsHold('docker-sdk-python/7.1.0'), true);
  t.equal(needsHold('Docker-Client/28.2.2 (linux)'), false);
  t.equal(needsHold(undefined), false);
});

test('a frame begins with its stream and its length', async (t) => {
  t.equal(frameHead(2, 0x01020304).toString('hex'), '0200000001020304');
});

test('an event keeps every nanosecond and the fields of old', async (t) => {
  const event = {
    Type: 'container',
    Action: 'die',
    Actor: { ID: 'abc', Attributes: { image: 'busybox' } },
    scope: 'local',
    timeNano: 1795441595123456789n,
  };
  t.equal(
    encodeEvent(event),
    '{"status":"die","id":"abc","from":"busybox","Type":"container","Action":"die",' +
      '"Actor":{"ID":"abc","Attributes":{"image":"busybox"}},"scope":"local",' +
      '"time":1795441595,"timeNano":1795441595123456789}',
  );
});

test('a network event has none of the fields of old', async (t) => {
  const text = encodeEvent({
    Type: 'network',
    Action: 'create',
    Actor: { ID: 'n', Attributes: {} },
    scope: 'local',
    timeNano: 1n,
  });
  t.notMatch(text, /"status"/);
});

test('events come in the form that is asked for', async (t) => {
  t.equal(eventsFormat(undefined).contentType, 'application/json');
  t.equal(eventsFormat('application/x-ndjson').contentType, 'application/x-ndjson');
  t.equal(eventsFormat('text/html, application/jsonl;q=1').contentType, 'application/jsonl');
  t.equal(eventsFormat('application/json-seq').prefix, '\u001e');
});
