/**
 * A raw AF_NETLINK socket, used synchronously: a request, and its answers until the kernel says
 * that these are all. Slow: the kernel may hold its lock for 78 ms, so only the worker calls it.
 */
import koffi from 'koffi';
import { errnoName } from '../errno.js';
import { ErrnoError } from '../errno-error.js';
import {
  decodeAcknowledgement, decodeMessages, encodeMessage, type NetlinkMessage, type ReceivedMessage,
} from './message.js';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const messageDone = 3;
const flagMulti = 0x2;
/** The kernel sends dumps in pieces of at most 32 KiB. */
const receiveBytes = 64 * 1024;
/** How long one answer may take; a kernel that is this late is stuck. */
const answerTimeoutSeconds = 10;

const libc = koffi.load(null);
const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
const setsockopt = libc.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
const send = libc.func('send', 'long', ['int', 'void *', 'size_t', 'int']);
const recv = libc.func('recv', 'long', ['int', 'void *', 'size_t', 'int']);
const close = libc.func('close', 'int', ['int']);

/** rtnetlink, and nftables' side of nfnetlink. */
export const netlinkProtocols = { route: 0, netfilter: 12 } as const;

/** One socket; it stays in the namespace where it was opened. Not for use by several threads. */
export interface NetlinkSocket {
  /**
   * Sends one request and gives back what came before the acknowledgement or the end of the dump.
   * Throws `ErrnoError` named `syscall`, about `about` and the kernel's own sentence.
   */
  request(message: NetlinkMessage, syscall: string, about: string): readonly ReceivedMessage[];
  /**
   * Sends a transaction of nfnetlink, whose last message before its end asks for an answer. Throws
   * the first thing that was wrong, after which nothing of it has been done.
   */
  transact(messages: readonly NetlinkMessage[], syscall: string, about: string): void;
  close(): void;
}

/** Opens a socket in the namespace that the thread is in; throws `ErrnoError`. */
export function openNetlinkSocket(protocol: number): NetlinkSocket {
  // koffi declares the calls of this file as int or long, so what they return are numbers.
  const fd = socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol) as number;
  if (fd < 0) throw new ErrnoError('socket', errnoName(koffi.errno()), 'AF_NETLINK');
  const on = Buffer.from([1, 0, 0, 0]);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, on, on.length);
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, on, on.length);
  const timeout = Buffer.alloc(16);
  timeout.writeBigInt64LE(BigInt(answerTimeoutSeconds), 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
  const buffer = Buffer.alloc(receiveBytes);
  let sequence = 0;
  return {
    request: (message, syscall, about) => {
      sequence = (sequence + 1) >>> 0;
      const bytes = encodeMessage(message, sequence);
      if ((send(fd, bytes, bytes.length, 0) as number) < 0) {
        throw new ErrnoError(syscall, errnoName(koffi.errno()), about);
      }
      return receive(fd, buffer, { sequence, syscall, about });
    },
    transact: (messages, syscall, about) => {
      const first = sequence + 1;
      const bytes = Buffer.concat(messages.map((message, at) =>
        encodeMessage(message, (first + at) >>> 0)));
      sequence = (sequence + messages.length) >>> 0;
      if ((send(fd, bytes, bytes.length, 0) as number) < 0) {
        throw new ErrnoError(syscall, errnoName(koffi.errno()), about);
      }
      // The end itself is not answered.
      const last = (sequence - 1) >>> 0;
      receiveVerdict(fd, buffer, { sequence: last, syscall, about }, first >>> 0);
    },
    close: () => void close(fd),
  };
}

interface Question {
  readonly sequence: number;
  readonly syscall: string;
  readonly about: string;
}

function receive(fd: number, buffer: Buffer, question: Question): readonly ReceivedMessage[] {
  const answers: ReceivedMessage[] = [];
  for (;;) {
    for (const message of decodeMessages(receiveOnce(fd, buffer, question))) {
      // Answers to a request that timed out before are not ours.
      if (message.sequence !== question.sequence) continue;
      const isAnswer = message.type !== messageDone && !isAcknowledgement(message, question);
      if (isAnswer) answers.push(message);
      const isMore = (message.flags & flagMulti) !== 0 || question.syscall !== 'NFT_MSG_GETGEN';
      if (!isAnswer || !isMore) return answers;
    }
  }
}

/** Of a transaction: one error for each message that was wrong, in their order, then the last's. */
function receiveVerdict(fd: number, buffer: Buffer, question: Question, first: number): void {
  let failure: ErrnoError | undefined;
  for (;;) {
    for (const message of decodeMessages(receiveOnce(fd, buffer, question))) {
      const place = (message.sequence - first) >>> 0;
      if (place > (question.sequence - first) >>> 0) continue;
      failure ??= failureOf(message, question);
      // What is wrong with the whole is told of the first message.
      const isLast = message.sequence === question.sequence || place === 0;
      if (!isLast) continue;
      if (failure !== undefined) throw failure;
      return;
    }
  }
}

function receiveOnce(fd: number, buffer: Buffer, { syscall, about }: Question): Buffer {
  for (;;) {
    const length = recv(fd, buffer, buffer.length, 0) as number;
    if (length >= 0) return Buffer.from(buffer.subarray(0, length));
    const code = errnoName(koffi.errno());
    if (code === 'EINTR') continue;
    throw new ErrnoError(syscall, code === 'EAGAIN' ? 'ETIMEDOUT' : code, about);
  }
}

/** Whether a message ends the request; throws when it says that the request failed. */
function isAcknowledgement(message: ReceivedMessage, question: Question): boolean {
  const failure = failureOf(message, question);
  if (failure !== undefined) throw failure;
  return decodeAcknowledgement(message) !== undefined;
}

function failureOf(
  message: ReceivedMessage,
  { syscall, about }: Question,
): ErrnoError | undefined {
  const acknowledgement = decodeAcknowledgement(message);
  if (acknowledgement === undefined || acknowledgement.errno === 0) return undefined;
  const said = acknowledgement.message === undefined ? '' : ` (${acknowledgement.message})`;
  return new ErrnoError(syscall, errnoName(acknowledgement.errno), about + said);
}
