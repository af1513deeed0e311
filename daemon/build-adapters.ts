/** Containers, archives and the rest, as builds want to see them. */
import { Duplex } from 'node:stream';
import { ApiError, noSpace, systemError } from '../api-spec/errors.js';
import { ErrnoError } from '../native/errno-error.js';
import { ArchiveError, unpackLayer } from '../native/unpack/index.js';
import type { StorageDriver } from '../storage-drivers/driver.js';
import { abortReason } from '../native/abort-reason.js';
import type { BuildContext, ContainersNeed } from './build/index.js';
import { ownPaths } from './containers/differences.js';
import type { Containers } from './containers/index.js';

type Output = Parameters<ContainersNeed['run']>[1];

/** The containers of builds: created over what a step stands on, gone with it. */
export function buildContainersOf(
  containers: () => Containers,
  driver: StorageDriver,
): ContainersNeed {
  return {
    create: async ({ image, config, hostConfig, hiddenEnv }) => {
      const body = { ...config, HostConfig: hostConfig };
      const request = { body, image, hiddenEnv, apiMinor: newestApiMinor };
      return (await containers().create({ ...request, ephemeral: true })).Id;
    },
    run: (id, output, signal) => runContainer(containers(), id, { output, signal }),
    layer: (id, { targets, goes, signal }) => {
      const { layers } = containers().find(id).record;
      const ours = [...ownPaths, ...targets];
      return async (fd) => {
        const how = { ours, signal };
        if (!goes || driver.take === undefined) return driver.diff(id, layers, fd, how);
        const { written, stage } = await driver.take(id, layers, fd, how);
        return { ...written, taken: { sizeBytes: written.sizeBytes, stage } };
      };
    },
    keep: (id) => containers().keep(id),
    remove: async (id) => {
      try {
        await containers().remove(id, { force: true, volumes: true });
      } catch (error) {
        const isGone = error instanceof ApiError && error.kind === 'NotFound';
        if (!isGone) throw error;
      }
    },
  };
}

/** A build asks for containers as the newest of clients would. */
const newestApiMinor = 51;

interface Run {
  readonly output: Output;
  readonly signal: AbortSignal;
}

async function runContainer(
  containers: Containers,
  id: string,
  { output, signal }: Run,
): Promise<number> {
  const joined = await containers.attach(id, {
    logs: false,
    stream: true,
    stdin: false,
    stdout: true,
    stderr: true,
    framing: 'stdcopy',
  });
  const shown = joined.run(listener(output), signal);
  const exit = (await containers.wait(id, { condition: 'next-exit', signal })).result;
  try {
    await containers.start(id);
    const { StatusCode } = await orAborted(exit, signal);
    await orAborted(shown, signal);
    return StatusCode;
  } catch (error) {
    joined.abandon();
    shown.catch(() => undefined);
    throw error;
  }
}

/** A wait that never settles after an abort must not be waited for. */
function orAborted<T>(wait: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(abortReason(signal));
    if (signal.aborted) {
      leave();
      return;
    }
    signal.addEventListener('abort', leave, { once: true });
    wait.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

/** A client of an attachment that says nothing, and takes what comes out of its frames. */
function listener(output: Output): Duplex {
  let rest: Buffer = Buffer.alloc(0);
  const take = async (chunk: Buffer): Promise<void> => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= frameHeadBytes) {
      const end = frameHeadBytes + rest.readUInt32BE(4);
      if (rest.length < end) return;
      await output(rest[0] === 2 ? 'stderr' : 'stdout', rest.subarray(frameHeadBytes, end));
      rest = rest.subarray(end);
    }
  };
  return new Duplex({
    allowHalfOpen: true,
    autoDestroy: false,
    read() {
      this.push(null);
    },
    write(chunk: Buffer, _encoding, done) {
      take(chunk).then(() => done(), done);
    },
  });
}

const frameHeadBytes = 8;

/** Unpacks a context or an archive; `ApiError` in words for whoever sent it. */
export const unpackForBuild: BuildContext['unpack'] = async ({ source, target, signal }) => {
  try {
    await unpackLayer({ source, target, whiteouts: 'none', signal });
  } catch (error) {
    signal.throwIfAborted();
    throw worded(error);
  }
};

function worded(error: unknown): unknown {
  if (error instanceof ArchiveError) {
    return new ApiError(error.kind, `Error processing tar file: ${error.message}`, {
      cause: error,
    });
  }
  if (!(error instanceof ErrnoError)) return error;
  return ['ENOSPC', 'EDQUOT'].includes(error.code)
    ? noSpace('Error processing tar file: no space left on device', error)
    : systemError(`Error processing tar file: ${error.message}`, error);
}
