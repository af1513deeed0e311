/**
 * The DNS server of one container: sockets that live in its network namespace, answers from what
 * the engine knows, and everything else forwarded from the host's namespace, unless all of the
 * container's networks are internal (CVE-2024-29018).
 */
import { randomInt } from 'node:crypto';
import { closeSync } from 'node:fs';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { duplicate } from '../../native/duplicate.js';
import { codeOf } from '../../native/errno-error.js';
import type { NameSockets } from '../runtime/task.js';
import {
  answers, decodeQuery, encodeResponse, responseCodes, type Answer, type Query,
} from './dns-message.js';

const maxUdpBytes = 4096;
/** What a client takes by UDP that says nothing else. */
const plainUdpBytes = 512;
/** Queries of one container that may wait for a server outside; more are refused. */
const maxForwarded = 128;
const maxTcpConnections = 32;
const forwardTimeoutMs = 4000;
const tcpIdleMs = 10_000;
const dnsPort = 53;

/** What the names mean for one container, asked anew for each query. */
export interface DnsZone {
  /** Answers from here: undefined when the name is none of ours. */
  lookup(query: Query): { readonly code: number; readonly records: readonly Answer[] } | undefined;
  /** Servers to forward to; empty when nothing may leave. */
  servers(): readonly string[];
}

/** A running server. */
export interface DnsServer {
  /** Duplicates of its sockets, the caller's to close; undefined once it is closed. */
  sockets(): NameSockets | undefined;
  close(): void;
}

/** Serves on two sockets by fd, which it owns from then on. */
export function serveDns(sockets: NameSockets, zone: DnsZone): DnsServer {
  const state: State = { zone, forwarding: 0 };
  let isOpen = true;
  const udp = createSocket('udp4');
  udp.on('message', (bytes, { port, address }) => {
    void respond(state, bytes, 'udp').then((response) => {
      if (response !== undefined) udp.send(response, port, address, ignoreGone);
    });
  });
  udp.on('error', () => {
    isOpen = false;
    udp.close();
  });
  udp.bind({ fd: sockets.udpFd });
  udp.unref();
  const tcp = serveTcp(state);
  tcp.listen({ fd: sockets.tcpFd });
  tcp.unref();
  return {
    sockets: () => (isOpen && tcp.listening ? duplicates(sockets) : undefined),
    close: () => {
      isOpen = false;
      closeQuietly(udp);
      tcp.close();
    },
  };
}

function duplicates({ udpFd, tcpFd }: NameSockets): NameSockets {
  const udp = duplicate(udpFd);
  try {
    return { udpFd: udp, tcpFd: duplicate(tcpFd) };
  } catch (error) {
    closeSync(udp);
    throw error;
  }
}

interface State {
  readonly zone: DnsZone;
  forwarding: number;
}

/** A container that went away does not get its answer. */
function ignoreGone(): void {}

function closeQuietly(socket: DatagramSocket): void {
  try {
    socket.close();
  } catch (error) {
    // It closes itself on an error; closing twice throws ERR_SOCKET_DGRAM_NOT_RUNNING.
    if (codeOf(error) === '') throw error;
  }
}

function serveTcp(state: State): Server {
  const server = createServer((socket) => {
    socket.setTimeout(tcpIdleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    let waiting = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      for (;;) {
        const length = waiting.length < 2 ? Infinity : waiting.readUInt16BE(0);
        if (length > maxUdpBytes && length !== Infinity) return void socket.destroy();
        if (waiting.length < 2 + length) return;
        answerTcp(state, socket, waiting.subarray(2, 2 + length));
        waiting = waiting.subarray(2 + length);
      }
    });
  });
  server.maxConnections = maxTcpConnections;
  server.on('error', () => server.close());
  return server;
}

function answerTcp(state: State, socket: Socket, bytes: Buffer): void {
  void respond(state, bytes, 'tcp').then((response) => {
    if (response === undefined || socket.destroyed) return;
    socket.write(framed(response));
  });
}

async function respond(
  state: State,
  bytes: Buffer,
  by: 'udp' | 'tcp',
): Promise<Buffer | undefined> {
  const query = decodeQuery(bytes);
  if (query === undefined) return undefined;
  const maxBytes = by === 'udp' ? plainUdpBytes : 65_535;
  const known = state.zone.lookup(query);
  if (known !== undefined) return encodeResponse(query, known.code, known.records, maxBytes);
  const servers = state.zone.servers();
  if (servers.length === 0 || state.forwarding >= maxForwarded) {
    return encodeResponse(query, responseCodes.serverFailure, [], maxBytes);
  }
  state.forwarding++;
  try {
    return await forward(query, bytes, { servers, by });
  } catch {
    // No server outside answered in time; the client is told so, as a resolver does.
    return encodeResponse(query, responseCodes.serverFailure, [], maxBytes);
  } finally {
    state.forwarding--;
  }
}

/** Asks one server after the other; throws when none answers. */
async function forward(
  query: Query,
  bytes: Buffer,
  { servers, by }: { readonly servers: readonly string[]; readonly by: 'udp' | 'tcp' },
): Promise<Buffer> {
  const id = randomInt(65_536);
  const request = Buffer.from(bytes);
  request.writeUInt16BE(id, 0);
  let last: unknown;
  for (const server of servers) {
    try {
      const ask = by === 'udp' ? askByUdp : askByTcp;
      const response = Buffer.from(await ask(server, request, (r) => answers(r, query, id)));
      response.writeUInt16BE(query.id, 0);
      return response;
    } catch (error) {
      last = error;
    }
  }
  throw last instanceof Error ? last : new Error('no DNS server');
}

type Check = (response: Buffer) => boolean;

/** A socket of its own for each question: its random port is half of what a forger must guess. */
function askByUdp(server: string, request: Buffer, isAnswer: Check): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      closeQuietly(socket);
      act();
    };
    const timer = setTimeout(
      () => finish(() => reject(new Error(`${server} does not answer`))), forwardTimeoutMs);
    socket.on('error', (error) => finish(() => reject(error)));
    socket.on('message', (response) => {
      if (isAnswer(response)) finish(() => resolve(response));
    });
    // Connected, so that only this server's packets come in and a closed port is told at once. Not
    // by connect's own callback: that is called for a failure as well, which is then no 'error'.
    socket.once('connect', () => socket.send(request));
    socket.connect(dnsPort, server);
  });
}

function askByTcp(server: string, request: Buffer, isAnswer: Check): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server, port: dnsPort });
    let waiting = Buffer.alloc(0);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(forwardTimeoutMs, () => fail(new Error(`${server} does not answer`)));
    socket.on('error', fail);
    socket.on('close', () => reject(new Error(`${server} hung up`)));
    socket.on('connect', () => socket.write(framed(request)));
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      if (waiting.length < 2 || waiting.length < 2 + waiting.readUInt16BE(0)) return;
      const response = waiting.subarray(2, 2 + waiting.readUInt16BE(0));
      if (!isAnswer(response)) return fail(new Error(`${server} answers something else`));
      resolve(response);
      socket.destroy();
    });
  });
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(message.length, 0);
  return Buffer.concat([head, message]);
}
