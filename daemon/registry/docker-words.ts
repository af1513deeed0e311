/** What a failed pull is to the caller of the API. */
import { ApiError, notFound, systemError } from '../../api-spec/errors.js';
import { ContentError } from '../content/index.js';
import { RegistryError } from './registry-error.js';

/** How messages name the thing: `busybox` and `busybox:1`. */
export interface PulledName {
  readonly repository: string;
  readonly reference: string;
}

/** Words a registry's refusal as Docker does; what it does not know stays as it is. */
export function pullError(error: unknown, name: PulledName): unknown {
  if (error instanceof ApiError) return error;
  if (error instanceof ContentError) return systemError(error.message, error);
  if (!(error instanceof RegistryError)) return error;
  if (error.code === 'DENIED') {
    return notFound(
      `pull access denied for ${name.repository}, repository does not exist ` +
        `or may require 'docker login': ${error.message}`,
      error,
    );
  }
  if (error.code === 'NAME_UNKNOWN') {
    return notFound(`repository ${name.repository} not found: ${error.message}`, error);
  }
  if (error.code === 'MANIFEST_UNKNOWN' || error.code === 'NOT_FOUND') {
    return notFound(`manifest for ${name.reference} not found: ${error.message}`, error);
  }
  return systemError(error.message, error);
}
