import { Readable } from 'node:stream';
import type { Images } from '../../daemon/images/index.js';

type ImportRequest = Parameters<Images['import']>[0];

/** `docker import` of a tar, as `in:1` and without anything else unless `wish` says so. */
export function importTar(
  images: Images,
  tar: Buffer,
  wish: Partial<ImportRequest> = {},
): Promise<void> {
  return images.import({
    source: '-',
    body: Readable.from([tar]),
    repo: 'in',
    tag: '1',
    message: '',
    changes: [],
    platform: '',
    sink: async () => undefined,
    signal: new AbortController().signal,
    ...wish,
  });
}
