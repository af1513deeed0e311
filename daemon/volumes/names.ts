/** Names of volumes. Pure. */
import { invalidParameter } from '../../api-spec/errors.js';
import { randomId } from '../random-id.js';

/** Marks a volume that got its name from us. */
export const anonymousLabel = 'com.docker.volume.anonymous';

/** A folder's name may not be longer. */
const MAX_NAME_BYTES = 255;

/** 64 hex. */
export function newVolumeName(): string {
  return randomId();
}

/** Whether it can be a volume's name; a folder of another name is none of ours. */
export function isVolumeName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= MAX_NAME_BYTES;
}

/** Refuses (400) what cannot be a volume's name; it becomes a folder's name as it is. */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw invalidParameter(
      `create ${name}: volume name is too short, ` +
        'names should be at least two alphanumeric characters',
    );
  }
  if (name.length > MAX_NAME_BYTES) {
    throw invalidParameter(`create ${name.slice(0, 32)}…: volume name is too long`);
  }
  if (!isVolumeName(name)) {
    throw invalidParameter(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
        '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, ' +
        'use absolute path',
    );
  }
}
