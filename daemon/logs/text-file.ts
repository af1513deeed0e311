import { closeSync, fstatSync, read, write, type BigIntStats } from 'node:fs';
import { promisify } from 'node:util';
import { ErrnoError } from '../../native/errno-error.js';

const readFd = promisify(read);
const writeFd = promisify(write);

/** An open file. A closed descriptor may be another file's soon: whoever reads keeps it open. */
export class TextFile {
  #busy = 0;
  #isClosed = false;

  constructor(readonly fd: number) {}

  stat(): BigIntStats {
    return fstatSync(this.fd, { bigint: true });
  }

  /** How many bytes were read; rejects with `ErrnoError` EBADF once it is closed. */
  read(buffer: Buffer, length: number, position: number): Promise<number> {
    return this.#using(async () => (await readFd(this.fd, buffer, 0, length, position)).bytesRead);
  }

  /** All of `bytes`, at the end of what was written before. */
  append(bytes: Buffer): Promise<void> {
    return this.#using(async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await writeFd(this.fd, bytes, done, bytes.length - done, null);
        done += bytesWritten;
      }
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release();
  }

  #release(): void {
    if (this.#busy === 0 && this.#isClosed) closeSync(this.fd);
  }

  async #using<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new ErrnoError('read', 'EBADF', 'log');
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      this.#release();
    }
  }
}
