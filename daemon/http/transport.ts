/**
 * What happens to a connection before it is HTTP/1: its first bytes are looked at, so that one
 * socket can also take HTTP/2 (BuildKit's clients) and the old way to hijack, without `Upgrade`.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from './limits.js';

const http2Preface = Buffer.from('PRI * HTTP/2.0');

/**
 * The token by which a hijack without `Upgrade` is made one with it: only so does Node let go of
 * the connection. The answer to it is a plain 200.
 */
export const oldHijack = 'tsdocker-hijack';

/** Where connections go. */
export interface Accept {
  readonly http: Server;
  /** Takes a connection that begins with HTTP/2; by default it is closed. */
  readonly http2?: (socket: Socket) => void;
}

/** Gives a fresh connection to whom its first bytes belong; closes it when none come. */
export function accept(socket: Socket, to: Accept): void {
  const close = () => {
    socket.destroy();
  };
  const timer = setTimeout(close, limits.firstByteTimeoutMs);
  const onData = (first: Buffer) => {
    clearTimeout(timer);
    socket.off('data', onData).off('error', close).off('end', close);
    socket.pause();
    dispatch(socket, first, to);
  };
  socket.on('error', close).on('end', close).on('data', onData);
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

function dispatch(socket: Socket, first: Buffer, to: Accept): void {
  // Nobody else begins a request with `PRI`, so that a part of the preface is enough.
  const compared = Math.min(first.length, http2Preface.length);
  if (compared >= 3 && first.subarray(0, compared).equals(http2Preface.subarray(0, compared))) {
    socket.unshift(first);
    if (to.http2 === undefined) socket.destroy();
    else to.http2(socket);
    return;
  }
  socket.unshift(withUpgrade(first));
  to.http.emit('connection', socket);
  socket.resume();
}

const hijacking =
  /^POST \/(?:v[0-9.]+\/)?(?:containers|exec)\/[^\s?]+\/(?:attach|start)(?:\?\S*)? HTTP\/1\.1\r\n/;

/**
 * A request for attach or exec start that does not ask for an upgrade is made to. Not so a chunked
 * one: its stdin comes in the body.
 */
function withUpgrade(first: Buffer): Buffer {
  if (first.length < 5 || first.toString('latin1', 0, 5) !== 'POST ') return first;
  const text = first.toString('latin1', 0, limits.headerBytes);
  const line = hijacking.exec(text)?.[0];
  const end = text.indexOf('\r\n\r\n');
  if (line === undefined || end === -1) return first;
  if (line.includes('/containers/') && !line.includes('/attach')) return first;
  if (/\r\n(?:upgrade|transfer-encoding):/i.test(text.slice(0, end + 2))) return first;
  return Buffer.concat([
    first.subarray(0, line.length),
    Buffer.from(`Connection: Upgrade\r\nUpgrade: ${oldHijack}\r\n`),
    first.subarray(line.length),
  ]);
}

/** The head of a request without its `Upgrade`, to be read again as an ordinary one. */
export function headWithoutUpgrade(
  requestLine: string,
  rawHeaders: readonly string[],
): Buffer {
  const lines = [requestLine];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]];
    const isUpgrade = name.toLowerCase() === 'upgrade';
    const isUpgrading = name.toLowerCase() === 'connection' && /upgrade/i.test(value);
    if (!isUpgrade && !isUpgrading) lines.push(`${name}: ${value}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
