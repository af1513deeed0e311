/** One blob on its way in: hashed as it is stored, in the store only once it is right. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { ContentError } from './content-error.js';
import { renameDurably } from './durable.js';

/** What a blob has to be. Without a digest the bytes themselves say what it is. */
export interface Expected {
  readonly digest?: string;
  readonly sizeBytes?: number;
}

/** Where the bytes go before and after they are known to be right. */
export interface IngestOptions {
  readonly expected: Expected;
  readonly path: string;
  /** Goes on after the bytes that an earlier attempt left at `path`. */
  readonly resume: boolean;
  /** Where a blob of this digest is to be. */
  readonly target: (digest: string) => string;
}

/** Exactly one of `commit`, `keep` and `abort` ends it; `abort` and `keep` may follow a failure. */
export class Ingest {
  private readonly hash: Hash = createHash('sha256');
  private digest: string | undefined;
  private ended = false;
  private written = 0;

  private constructor(
    private readonly options: IngestOptions,
    private readonly file: FileHandle,
    private readonly stored: number,
  ) {}

  /** Opens the temporary file; `storedBytes` of it are there and must be `replay`ed first. */
  static async open(options: IngestOptions): Promise<Ingest> {
    const file = await open(options.path, options.resume ? 'a+' : 'w+', 0o600);
    try {
      const { size } = await file.stat();
      const limit = options.expected.sizeBytes;
      if (limit === undefined || size <= limit) return new Ingest(options, file, size);
      await file.truncate(0);
      return new Ingest(options, file, 0);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes that an earlier attempt left. */
  get storedBytes(): number {
    return this.stored;
  }

  /** Bytes accepted so far, replayed ones included: where a download has to go on. */
  get sizeBytes(): number {
    return this.written;
  }

  /** Yields what an earlier attempt left, hashing it on the way: call once, before any `write`. */
  async *replay(): AsyncGenerator<Buffer> {
    if (this.stored === 0) return;
    const stream = createReadStream(this.options.path, { end: this.stored - 1 });
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk as Uint8Array); // No encoding is set: chunks are bytes.
      this.account(bytes);
      yield bytes;
    }
  }

  /** Stores bytes in order; refuses the first one beyond the expected size. */
  async write(chunk: Uint8Array): Promise<void> {
    this.account(chunk);
    let rest = chunk;
    while (rest.length > 0) {
      const { bytesWritten } = await this.file.write(rest);
      rest = rest.subarray(bytesWritten);
    }
  }

  /** Throws `ContentError` unless all bytes are there and right; nothing is written after. */
  verify(): string {
    const { digest: expected, sizeBytes } = this.options.expected;
    if (sizeBytes !== undefined && this.written !== sizeBytes) {
      throw new ContentError('SIZE', `content has ${this.written} bytes instead of ${sizeBytes}`);
    }
    this.digest ??= `sha256:${this.hash.digest('hex')}`;
    if (expected !== undefined && this.digest !== expected) {
      throw new ContentError('DIGEST', `content has digest ${this.digest} instead of ${expected}`);
    }
    return this.digest;
  }

  /** Verifies, makes durable and publishes; on any failure the temporary file is gone. */
  async commit(): Promise<{ digest: string; sizeBytes: number }> {
    try {
      const digest = this.verify();
      await this.file.sync();
      await this.finish();
      await renameDurably(this.options.path, this.options.target(digest));
      return { digest, sizeBytes: this.written };
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Leaves what is there for a later attempt to go on with. */
  async keep(): Promise<void> {
    await this.finish();
  }

  /** Removes all of it; idempotent, and nothing after a commit. */
  async abort(): Promise<void> {
    await this.finish();
    await rm(this.options.path, { force: true });
  }

  private account(chunk: Uint8Array): void {
    const limit = this.options.expected.sizeBytes;
    if (limit !== undefined && this.written + chunk.length > limit) {
      throw new ContentError('SIZE', `content is larger than the announced ${limit} bytes`);
    }
    this.hash.update(chunk);
    this.written += chunk.length;
  }

  private async finish(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.file.close();
  }
}
