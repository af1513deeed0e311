/** A unix datagram socket that listens, which Node does not have: python does it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Test } from './daemon.js';

/** Takes messages, also those that come as a memfd; each line of its output is one in base64. */
const program = `
import socket, sys, base64, os, array
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('ready', flush=True)
while True:
    data, control, _, _ = server.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    for level, kind, fds in control:
        fd = array.array('i', fds)[0]
        data = os.pread(fd, 1 << 26, 0)
        os.close(fd)
    print(base64.b64encode(data).decode(), flush=True)
`;

/** What has come to `path` so far; the server ends with the test. */
export async function datagramServer(
  t: Test,
  path: string,
): Promise<{ readonly messages: readonly Buffer[] }> {
  const child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const messages: Buffer[] = [];
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  lines.on('line', (line) => messages.push(Buffer.from(line, 'base64')));
  return { messages };
}
