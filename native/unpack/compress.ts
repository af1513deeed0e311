/** Layers as registries take them. */
import { defaultUnpackLimits, type TreeOptions } from './bounds.js';
import { runProgram, type Source } from './program.js';

const TIMEOUT_MS = 30 * 60_000;

/** What was compressed, measured on the way. */
export interface CompressedArchive {
  /** `sha256:…` of the plain bytes that went in. */
  readonly plainDigest: string;
  /** `sha256:…` of the gzip file. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/**
 * Writes `source` as gzip to an open file, by isa-l where it is installed and by zlib elsewhere.
 * On one machine the same bytes give the same file. Errors are `unpackLayer`'s.
 */
export async function compressArchive(
  source: Source,
  outputFd: number,
  { signal, timeoutMs = TIMEOUT_MS }: TreeOptions = {},
): Promise<CompressedArchive> {
  const settings = { target: '/', ...defaultUnpackLimits, reserveBytes: 0 };
  const command = 'compress';
  const report = await runProgram({ command, settings, source, outputFd, signal, timeoutMs });
  return {
    plainDigest: `sha256:${report.text('plainSha256')}`,
    digest: `sha256:${report.text('sha256')}`,
    sizeBytes: report.number('sizeBytes'),
  };
}
