/** A flag or a key of `daemon.json` that cannot be: the message says which and why. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
