/** Classic BPF as seccomp takes it, and an assembler of programs whose ends come first. */

// linux/bpf_common.h
export const LD_W_ABS = 0x20;
export const JA = 0x05;
export const JEQ = 0x15;
export const JGT = 0x25;
export const JGE = 0x35;
export const AND = 0x54;
export const RET = 0x06;

/** How far a conditional jump reaches. */
const MAX_JUMP = 255;

/** A struct sock_filter: `jt` and `jf` are how many instructions are passed over. */
export interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly jt: number;
  readonly jf: number;
}

/** An instruction; `k` is taken as 32 bits without a sign. */
export const op = (code: number, k: number, jt = 0, jf = 0): Instruction =>
  ({ code, k: k >>> 0, jt, jf });

/** Of an instruction: how many follow it. */
export type Place = number;

/**
 * Jumps only lead forwards: put down from its end, a program knows where each of them goes, and
 * what many paths end in is there once.
 */
export class Backwards {
  /** The last of the program first. */
  readonly #code: Instruction[] = [];
  readonly #returns = new Map<number, Place>();

  /** Instructions that belong together, in their own order. */
  put(instructions: readonly Instruction[]): Place {
    this.#code.push(...instructions.toReversed());
    return this.#code.length - 1;
  }

  /** Where this is returned: the one that is there, if it is near. */
  ret(result: number): Place {
    const known = this.#returns.get(result);
    if (known !== undefined && this.#isNear(known)) return known;
    const place = this.put([op(RET, result)]);
    this.#returns.set(result, place);
    return place;
  }

  /** Goes to `above` if what was loaded is at least `from`. */
  branch(from: number, above: Place, below: Place): Place {
    const [high, low] = [this.#near(above), this.#near(below)];
    const next = this.#code.length - 1;
    return this.put([op(JGE, from, next - high, next - low)]);
  }

  /** The program, beginning there. */
  from(entry: Place): Instruction[] {
    const next = this.#code.length - 1;
    if (entry !== next) this.put([op(JA, next - entry)]);
    return this.#code.toReversed();
  }

  /** The same, or what leads there, within reach of a jump that is put soon. */
  #near(place: Place): Place {
    if (this.#isNear(place)) return place;
    const there = this.#code[place];
    if (there?.code === RET) return this.ret(there.k);
    return this.put([op(JA, this.#code.length - 1 - place)]);
  }

  /** With room for two more in between. */
  #isNear(place: Place): boolean {
    return this.#code.length + 1 - place <= MAX_JUMP;
  }
}
