/** Compressed archives as plain bytes, by the system's libraries: gzip, zstd, xz, bzip2. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { defaultUnpackLimits, type TreeOptions } from './bounds.js';
import { runProgram, streamProgram, type Report, type Source } from './program.js';

const TIMEOUT_MS = 30 * 60_000;

/**
 * The plain bytes of `source`; what is not compressed passes through. Fails as `unpackLayer` does,
 * with `ArchiveError` for damage and bombs; the process is killed when the stream is destroyed.
 */
export function expandArchive(
  source: Source,
  { signal, timeoutMs = TIMEOUT_MS }: TreeOptions = {},
): Readable {
  return streamProgram({ ...call, source, signal, timeoutMs });
}

/** `sha256:…` of the plain bytes, which go nowhere, and how many there are. */
export async function expandedDigest(
  source: Source,
  { signal, timeoutMs = TIMEOUT_MS }: TreeOptions = {},
): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
  const nowhere = await open('/dev/null', 'w');
  try {
    const outputFd = nowhere.fd;
    const report = await runProgram({ ...call, source, outputFd, signal, timeoutMs });
    return digestOf(report);
  } finally {
    await nowhere.close();
  }
}

function digestOf(report: Report): { readonly digest: string; readonly sizeBytes: number } {
  return { digest: `sha256:${report.text('sha256')}`, sizeBytes: report.number('tarBytes') };
}

const call = {
  command: 'expand',
  settings: { target: '/', ...defaultUnpackLimits, reserveBytes: 0 },
} as const;
