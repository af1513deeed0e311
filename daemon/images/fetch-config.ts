import { systemError } from '../../api-spec/errors.js';
import { digestOf, type Descriptor } from '../content/index.js';
import { downloadBlob, type Repository } from '../registry/index.js';
import { maxConfigBytes } from './image-config.js';

/** The text of an image's config from a registry, bounded and verified; it is not kept. */
export async function fetchConfig(
  repository: Repository,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<string> {
  const failed = (why: string): Error => systemError(`error pulling image configuration: ${why}`);
  if (descriptor.size > maxConfigBytes) {
    throw failed(`${descriptor.size} bytes are more than the allowed ${maxConfigBytes}`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of downloadBlob(repository, { descriptor, offsetBytes: 0, signal })) {
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length !== descriptor.size || digestOf(bytes) !== descriptor.digest) {
    throw failed(`image config verification failed for digest ${descriptor.digest}`);
  }
  return bytes.toString('utf8');
}
