import { create, type CreateRequest } from './create.js';
import { remove } from './delete.js';
import { inForeground } from './foreground.js';
import { launchWords } from './launch-words.js';
import { afterStart } from './start.js';

/** A creation with the start, and without `detach` the end, in one command. */
export interface RunRequest extends Omit<CreateRequest, 'keepsTerminal'> {
  /** Returns once it runs. */
  readonly detach: boolean;
  /** The container stays after its end, stopped. */
  readonly keep: boolean;
  readonly warn: (message: string) => void;
}

/** Create, start, and in the foreground wait and delete: the exit code of the process. */
export async function run(request: RunRequest): Promise<number> {
  const { detach } = request;
  const { launching, record, config } = await create({ ...request, keepsTerminal: !detach });
  try {
    if (detach) {
      await launching.open();
      // A terminal's or the caller's streams need no shim; it ends with the process.
      launching.shim.disconnect();
      await afterStart(record);
      return 0;
    }
    const terminal = config.process.terminal && request.consoleSocket === undefined;
    const code = await inForeground(launching, terminal, () => afterStart(record));
    if (!request.keep) await remove(request, record);
    return code;
  } catch (error) {
    await remove(request, record);
    throw launchWords(error);
  }
}
