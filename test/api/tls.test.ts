import { connect as dialTcp, type AddressInfo } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { test } from 'tap';
import { makeCertificates } from '../support/certificates.js';
import { makeServer } from './engine.js';

/** What comes back for one request, or the error's code. */
function ask(options: ConnectionOptions, host = 'localhost'): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ ...options, host: '127.0.0.1', servername: 'localhost' });
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', (error) => resolve(`error ${error.message}`));
    socket.on('close', () => resolve(text));
    socket.write(`GET /_ping HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

test('TCP is served to those whom our authority knows, and to nobody else', async (t) => {
  const { ca, server: own, client, stranger } = makeCertificates(t);
  const server = await makeServer(t);
  const listener = server.makeServer({ tls: { ca, ...own } });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  // A server on a port has an address of that form.
  const { port } = listener.address() as AddressInfo;
  t.match(await ask({ port, ca, ...client }), /^HTTP\/1\.1 200 .*OK$/s);
  t.notMatch(await ask({ port, ca, ...stranger }), /HTTP/);
  t.notMatch(await ask({ port, ca }), /HTTP/);
  t.match(await ask({ port, ca, ...client }, 'evil.example'), /^HTTP\/1\.1 403 /);
});

test('TCP without TLS is cut', async (t) => {
  const server = await makeServer(t);
  const listener = server.makeServer({ tls: undefined });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  // As above.
  const { port } = listener.address() as AddressInfo;
  const text = await new Promise<string>((resolve) => {
    let all = '';
    const socket = dialTcp(port, '127.0.0.1');
    socket.on('data', (chunk) => (all += String(chunk)));
    socket.on('error', () => socket.destroy()).on('close', () => resolve(all));
    socket.write('GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n');
  });
  t.equal(text, '');
});
