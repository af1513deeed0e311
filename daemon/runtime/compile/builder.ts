/** A launch program while it grows: its two strands, its slots and its labels. */
import { CWD, type LaunchProgram, type Slot, type Step } from '../../../native/launch/opcodes.js';

/** Steps are added in the order in which they are carried out. */
export class ProgramBuilder {
  readonly host: Step[] = [];
  readonly init: Step[] = [];
  #slots = 0;
  #labels = 0;

  /** A slot of its own in the table that both strands share. */
  slot(): Slot {
    return this.#slots++;
  }

  /** A name that no other step has. */
  label(word: string): string {
    return `${word}.${this.#labels++}`;
  }

  program(): LaunchProgram {
    return { host: this.host, init: this.init };
  }
}

/** The slots that several parts of a program know. */
export interface SharedSlots {
  /** Init: the container's root folder. */
  readonly root: Slot;
  /** Init: whatever is needed for one or two steps. */
  readonly scratch: Slot;
  /** Init: a second such. */
  readonly scratch2: Slot;
}

/** Lets earlier steps lead here, where there is nothing to do. */
export function landing(label: string): Step {
  return { op: 'close', fd: CWD, label };
}
