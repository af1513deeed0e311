/** The built-in profile, resolved once for each set of capabilities that is in use. */
import type { OciSeccomp } from '../oci.js';
import { defaultProfile } from './default-profile.js';
import { resolveProfile, type SeccompTarget } from './profile.js';
import { remember } from '../../remember.js';

const resolved = new Map<string, OciSeccomp>();

/** As `resolveProfile` of the default one; the same object for the same target. */
export function builtinSeccomp(target: SeccompTarget): OciSeccomp {
  const { capabilities, architecture, kernel } = target;
  const key = [architecture, kernel.major, kernel.minor, ...capabilities].join(' ');
  const known = resolved.get(key);
  if (known !== undefined) return known;
  return remember(resolved, key, resolveProfile(defaultProfile, target));
}
