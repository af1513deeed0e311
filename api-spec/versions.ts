/**
 * Which API versions are spoken. A version is `1.minor`; the code carries the minor alone.
 *
 * Responses are a superset whatever the client asks for; only what is refused or understood
 * differently depends on the version.
 */

/** The highest minor that is spoken: what clients without a version of their own get. */
export const maxMinor = 51;

/**
 * The lowest minor that is accepted. Old tools pin 1.24, and Docker 29 broke them by raising it.
 */
export const minMinor = 24;

/** `1.51`. */
export const versionText = (minor: number): string => `1.${String(minor)}`;
