/** Every bound of the HTTP layer, by name. Sizes in bytes, times in ms. */
const kiB = 1024;
const miB = 1024 * kiB;

export const limits = {
  /** Go allows 1 MiB of headers; Node's default of 16 KiB breaks builds with many arguments. */
  headerBytes: miB,
  /** A JSON body. Docker has no bound: a 200 MB create took it to 1.4 GB. */
  jsonBodyBytes: 16 * miB,
  /** The JSON in front of a hijacked stream. */
  hijackBodyBytes: 64 * kiB,
  /** From the first byte to the last of the headers: slow senders hold a connection no longer. */
  headersTimeoutMs: 10_000,
  /** Longer than the 30 s for which Go's client keeps an idle connection. */
  keepAliveTimeoutMs: 72_000,
  /** What a connection may take to send its first byte. */
  firstByteTimeoutMs: 10_000,
  /** Open connections of one listener, streams included; further ones are closed at once. */
  connections: 8192,
  /** A name in a url: a reference with a registry, a path and a digest. */
  paramLength: 1024,
  /** How long the head of an answer waits for the first word behind it. */
  headWaitMs: 5,
  /** How long a refused sender is listened to, so that it gets to read the refusal. */
  lingerMs: 1000,
  /**
   * docker-py reads the raw socket beneath a buffered reader: bytes that come with the 101 are
   * lost.
   */
  dockerPyHoldMs: 10,
} as const;
