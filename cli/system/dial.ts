import type { Duplex } from 'node:stream';
import type { Call, Command } from '../command.js';
import { CommandError } from '../errors.js';

/**
 * `system dial-stdio`: carries bytes between standard input and output and the engine's socket,
 * as `ssh://` hosts need it. Each direction is closed on its own, as soon as its source ends.
 */
export const dialCommand: Command = {
  use: 'dial-stdio',
  about: 'Carry the API over standard input and output',
  flags: [],
  operands: [0, 0],
  run: async ({ engine }: Call) => {
    const socket = engine.dial();
    await new Promise<void>((resolve, reject) => {
      const fail = (problem: Error): void => {
        reject(new CommandError(`Failed to proxy data: ${problem.message}`, 1, { cause: problem }));
      };
      socket.on('error', fail);
      process.stdin.on('error', fail);
      process.stdin.pipe(socket);
      socket.on('end', resolve);
      socket.on('close', () => resolve());
      pourOut(socket);
    });
  },
};

/** The other side of our output may have gone: main.ts ends the program then. */
function pourOut(socket: Duplex): void {
  socket.on('data', (chunk: Buffer) => {
    if (process.stdout.write(chunk)) return;
    socket.pause();
    process.stdout.once('drain', () => socket.resume());
  });
}
