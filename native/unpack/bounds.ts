/** How much an archive may be, and how long work on trees may take. */

/** Bounds against bombs; an archive over one is refused (`TooLarge`) with nothing committed. */
export interface UnpackLimits {
  /** Of the whole tar, uncompressed. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** Uncompressed to compressed, looked at once more than `ratioSlackBytes` came out. */
  readonly maxRatio: number;
  readonly ratioSlackBytes: number;
  /** Stops with ENOSPC while this much is still free on the target's filesystem. */
  readonly reserveBytes: number;
}

/** Of a disk that is left alone by whatever is unpacked, pulled or fetched. */
export const diskReserveBytes = 64 * 2 ** 20;

/** What a layer may be unless the caller says otherwise. */
export const defaultUnpackLimits: UnpackLimits = {
  maxBytes: 64 * 2 ** 30,
  maxEntries: 4_000_000,
  maxRatio: 400,
  ratioSlackBytes: 256 * 2 ** 20,
  reserveBytes: diskReserveBytes,
};

/**
 * Bounds on a walk of files: the process is killed by `signal`, or after `timeoutMs` (half an hour
 * by default).
 */
export interface TreeOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}
