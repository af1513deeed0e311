/** An ssh agent of a test's own, and a program that asks one: a static one, for any image. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Test {
  teardown(run: () => unknown): void;
}

/** How many asked, and where it listens. */
export interface Agent {
  readonly path: string;
  readonly asked: () => number;
}

const lengthBytes = 4;
const identitiesAnswer = 12;

/** Answers each request with a list of one key: these bytes, under this comment. */
export async function startAgent(t: Test, key: string, comment: string): Promise<Agent> {
  const folder = mkdtempSync(join(tmpdir(), 'tsd-agent-'));
  const path = join(folder, 'socket');
  let asked = 0;
  const server = createServer((socket) => {
    let rest = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= lengthBytes && rest.length - lengthBytes >= rest.readUInt32BE()) {
        rest = rest.subarray(lengthBytes + rest.readUInt32BE());
        asked += 1;
        const one = Buffer.from([0, 0, 0, 1]);
        const body = Buffer.concat([Buffer.from([identitiesAnswer]), one, framed(key)]);
        socket.write(framed(Buffer.concat([body, framed(comment)])));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { path, asked: () => asked };
}

/** As ssh writes strings: their length, then their bytes. */
function framed(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const source = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : getenv("SSH_AUTH_SOCK");
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  unsigned char answer[4096];
  if (path == NULL) return puts("no agent"), 2;
  strncpy(at.sun_path, path, sizeof at.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) return perror(path), 3;
  if (write(fd, "\\0\\0\\0\\1\\013", 5) != 5) return 4;
  ssize_t got = read(fd, answer, sizeof answer);
  for (ssize_t i = 4; i < got; i++) putchar(answer[i] >= 32 && answer[i] < 127 ? answer[i] : '.');
  putchar('\\n');
  return got > 0 ? 0 : 5;
}
`;

/** A program that asks the agent of its first operand, or of its environment, for its keys. */
export function agentClient(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'tsd-agent-'));
  try {
    const [code, program] = [join(folder, 'ask.c'), join(folder, 'ask')];
    writeFileSync(code, source);
    execFileSync('musl-gcc', ['-static', '-Os', '-o', program, code]);
    return readFileSync(program);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
