/** Two tiny machines: classic BPF as seccomp runs it, and the eBPF of device programs. */

/** What seccomp shows a filter. */
export interface SyscallData {
  readonly nr: number;
  readonly arch: number;
  readonly args?: readonly bigint[];
}

export const X86_64 = 0xc000003e;
export const I386 = 0x40000003;
export const AARCH64 = 0xc00000b7;
export const ALLOW = 0x7fff0000;
export const errno = (number: number): number => 0x00050000 | number;

/** The filter's verdict, and how many instructions it took. */
export function runFilter(
  filter: Buffer,
  data: SyscallData,
): { readonly verdict: number; readonly steps: number } {
  const memory = Buffer.alloc(64);
  memory.writeUInt32LE(data.nr >>> 0, 0);
  memory.writeUInt32LE(data.arch, 4);
  for (const [i, arg] of (data.args ?? []).entries()) memory.writeBigUInt64LE(arg, 16 + 8 * i);
  let accumulator = 0;
  for (let at = 0, steps = 1; at < filter.length / 8; at++, steps++) {
    const code = filter.readUInt16LE(at * 8);
    const k = filter.readUInt32LE(at * 8 + 4);
    const jump = (taken: boolean): void => {
      at += filter.readUInt8(at * 8 + (taken ? 2 : 3));
    };
    switch (code) {
      case 0x20: accumulator = memory.readUInt32LE(k); break;
      case 0x54: accumulator = (accumulator & k) >>> 0; break;
      case 0x05: at += k; break;
      case 0x15: jump(accumulator === k); break;
      case 0x25: jump(accumulator > k); break;
      case 0x35: jump(accumulator >= k); break;
      case 0x06: return { verdict: k, steps };
      default: throw new Error(`no such instruction: ${code}`);
    }
  }
  throw new Error('the filter runs past its end');
}

export interface DeviceAccess {
  readonly type: 'b' | 'c';
  readonly access: string;
  readonly major: number;
  readonly minor: number;
}

/** Whether a device program lets this access pass. */
export function runDeviceProgram(program: Buffer, request: DeviceAccess): boolean {
  const bits: Record<string, number> = { m: 1, r: 2, w: 4 };
  const access = [...request.access].reduce((mask, letter) => mask | (bits[letter] ?? 0), 0);
  const context = [(access << 16) | (request.type === 'b' ? 1 : 2), request.major, request.minor];
  const registers: number[] = Array.from({ length: 11 }, () => 0);
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt8(at * 8);
    if (code === EXIT) return registers[0] === 1;
    const dst = program.readUInt8(at * 8 + 1) & 15;
    const src = registers[program.readUInt8(at * 8 + 1) >> 4] ?? 0;
    const off = program.readInt16LE(at * 8 + 2);
    const imm = program.readInt32LE(at * 8 + 4);
    const value = registers[dst] ?? 0;
    const jump = jumps[code];
    const compute = computations[code];
    if (code === LOAD) registers[dst] = context[off / 4] ?? 0;
    else if (jump !== undefined) at += jump(value, src, imm) ? off : 0;
    else if (compute !== undefined) registers[dst] = compute(value, src, imm);
    else throw new Error(`no such instruction: ${code}`);
  }
  throw new Error('the program runs past its end');
}

const LOAD = 0x61;
const EXIT = 0x95;

type Operation<Result> = (value: number, src: number, imm: number) => Result;

const jumps: Readonly<Record<number, Operation<boolean>>> = {
  0x15: (value, _, imm) => value === imm,
  0x55: (value, _, imm) => value !== imm,
  0x5d: (value, src) => value !== src,
};

const computations: Readonly<Record<number, Operation<number>>> = {
  0xb4: (_value, _src, imm) => imm,
  0xbc: (_value, src) => src,
  0x54: (value, _src, imm) => value & imm,
  0x74: (value, _src, imm) => value >>> imm,
};
