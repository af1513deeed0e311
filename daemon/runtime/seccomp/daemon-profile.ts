import { readFileSync } from 'node:fs';
import { parseProfile, type SeccompProfile } from './profile.js';

/** The filter of containers that say nothing of theirs. */
export type DaemonProfile = 'builtin' | 'unconfined' | SeccompProfile;

/** What `--seccomp-profile` names; a path is of a file in Docker's format. Throws its reason. */
export function readDefaultProfile(word: string): DaemonProfile {
  if (word === 'unconfined') return 'unconfined';
  if (word === '' || word === 'builtin') return 'builtin';
  try {
    return parseProfile(readFileSync(word, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`opening seccomp profile (${word}) failed: ${why}`, { cause: error });
  }
}
