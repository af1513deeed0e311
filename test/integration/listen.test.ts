import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { test } from 'tap';
import { parseFlags } from '../../daemon/config/flags.js';
import { resolveConfig } from '../../daemon/config/resolve.js';
import { groupId, listenAll, passedSockets, tlsOptions } from '../../daemon/listen.js';

const silent = pino({ level: 'silent' });
const make = () =>
  createServer((socket) => socket.on('error', () => socket.destroy()).end('hello'));
const configured = (...argv: string[]) => resolveConfig(parseFlags(argv).settings);

/** A short directory (a socket's path is bounded) with a group file in it. */
function place(t: { teardown(run: () => void): void }) {
  const directory = mkdtempSync(join(tmpdir(), 'listen-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const groupFile = join(directory, 'group');
  writeFileSync(groupFile, 'root:x:0:\ndocker:x:998:me\n');
  return { directory, from: { environment: {}, pid: 42, groupFile } };
}

const said = (path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    connect(path).once('data', (bytes) => resolve(String(bytes))).once('error', reject);
  });

test('a unix socket belongs to its group, or to root alone', async (t) => {
  const { directory, from } = place(t);
  const path = join(directory, 'a/b/sock');
  const listeners = await listenAll(configured('-H', `unix://${path}`), make, silent, from);
  t.teardown(() => listeners.close());
  t.same(listeners.addresses, [`unix://${path}`]);
  t.match(statSync(path), { mode: 0o140660, uid: 0, gid: 998 });
  t.equal(await said(path), 'hello');
  const other = `${path}2`;
  const more = await listenAll(
    configured('-H', other, '-G', 'nobody-has-this'),
    make,
    silent,
    from,
  );
  t.teardown(() => more.close());
  t.match(statSync(other), { mode: 0o140600, gid: 0 });
  t.equal(groupId('998', from.groupFile), 998);
});

test('a socket that is served is refused, a stale one replaced, another file left alone', async (t) => {
  const { directory, from } = place(t);
  const path = join(directory, 'sock');
  const config = configured('-H', path);
  const first = await listenAll(config, make, silent, from);
  t.teardown(() => first.close());
  await t.rejects(listenAll(config, make, silent, from), { message: /is in use: another daemon/ });
  t.equal(await said(path), 'hello', 'the one that serves is not harmed');
  first.close();
  t.notOk(existsSync(path));
  writeFileSync(path, 'precious');
  await t.rejects(listenAll(config, make, silent, from), { message: /is not a socket/ });
});

test('when one address fails, none is served', async (t) => {
  const { directory, from } = place(t);
  const path = join(directory, 'sock');
  await t.rejects(listenAll(configured('-H', path, '-H', 'fd://'), make, silent, from), {
    message: 'fd://: no such socket was passed by systemd',
  });
  t.notOk(existsSync(path));
});

test('sockets of systemd are taken only when they are for this process', async (t) => {
  const { from } = place(t);
  const environment = {
    LISTEN_PID: '42',
    LISTEN_FDS: '2',
    LISTEN_FDNAMES: 'tsdocker.socket:other',
  };
  t.same(passedSockets(undefined, { ...from, environment }), [3, 4]);
  t.same(passedSockets('other', { ...from, environment }), [4]);
  t.same(passedSockets(undefined, { ...from, environment, pid: 43 }), []);
});

test('a certificate that cannot be read is named', async (t) => {
  const { directory } = place(t);
  const path = join(directory, 'group');
  t.throws(() => tlsOptions({ caPath: path, certPath: path, keyPath: `${path}-none` }), {
    message: /invalid TLS configuration: tlskey: ENOENT/,
  });
  t.match(tlsOptions({ caPath: path, certPath: path, keyPath: path }), {
    requestCert: true,
    rejectUnauthorized: true,
  });
});
