/** Internet sockets made by hand: born in another namespace, or with options of our choice. */
import koffi from 'koffi';
import { errnoName } from '../errno.js';
import { ErrnoError } from '../errno-error.js';
import { addressBytes } from './ip-address.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const IPPROTO_SCTP = 132;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
/** The kernel takes what `net.core.somaxconn` allows of it. */
const listenBacklog = 4096;

const libc = koffi.load(null);
const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
const bind = libc.func('bind', 'int', ['int', 'void *', 'uint']);
const listen = libc.func('listen', 'int', ['int', 'int']);
const close = libc.func('close', 'int', ['int']);
const setsockopt = libc.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
const getsockname = libc.func('getsockname', 'int', ['int', 'void *', 'void *']);

/** Where a socket is bound; `port` 0 lets the kernel choose. */
export interface SocketPlace {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly address: string;
  readonly port: number;
  readonly listen: boolean;
}

/**
 * Opens a socket in the thread's namespace, NONBLOCK and CLOEXEC; two of them never share a port.
 * Only one that listens has SO_REUSEADDR, so that connections which linger from before do not keep
 * it from its port; without listening it would let others in. Fast. The caller closes the fd.
 * Throws `ErrnoError` (EADDRINUSE, EADDRNOTAVAIL …) named after the call that failed.
 */
export function openInetSocket(place: SocketPlace): { readonly fd: number; readonly port: number } {
  const bytes = addressBytes(place.address);
  const isSix = bytes.length === 16;
  const type = (place.protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK_CLOEXEC;
  const protocol = place.protocol === 'sctp' ? IPPROTO_SCTP : 0;
  const about = `${place.protocol} ${place.address}:${place.port}`;
  // koffi declares the calls of this file as int, so what they return are numbers.
  const fd = socket(isSix ? AF_INET6 : AF_INET, type, protocol) as number;
  if (fd < 0) throw new ErrnoError('socket', errnoName(koffi.errno()), about);
  const check = (result: unknown, syscall: string): void => {
    if ((result as number) >= 0) return;
    const code = errnoName(koffi.errno());
    close(fd);
    throw new ErrnoError(syscall, code, about);
  };
  const setOption = (level: number, option: number): void =>
    check(setsockopt(fd, level, option, Buffer.from([1, 0, 0, 0]), 4), 'setsockopt');
  if (isSix) setOption(IPPROTO_IPV6, IPV6_V6ONLY);
  if (place.listen) setOption(SOL_SOCKET, SO_REUSEADDR);
  const name = socketName(bytes, place.port);
  check(bind(fd, name, name.length), 'bind');
  if (place.listen) check(listen(fd, listenBacklog), 'listen');
  const bound = Buffer.alloc(name.length);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bound.length, 0);
  check(getsockname(fd, bound, length), 'getsockname');
  return { fd, port: bound.readUInt16BE(2) };
}

/** struct sockaddr_in or sockaddr_in6. */
function socketName(address: Buffer, port: number): Buffer {
  const isSix = address.length === 16;
  const name = Buffer.alloc(isSix ? 28 : 16);
  name.writeUInt16LE(isSix ? AF_INET6 : AF_INET, 0);
  name.writeUInt16BE(port, 2);
  address.copy(name, isSix ? 8 : 4);
  return name;
}
