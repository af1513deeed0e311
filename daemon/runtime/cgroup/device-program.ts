/**
 * Device rules as an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE: cgroup version 2 has no
 * list of devices, the kernel asks a program. Pure: an assembler for the few instructions it takes.
 */
import type { OciDeviceRule } from '../oci.js';

// Registers: r1 is the context at entry and then unused; r2…r5 hold its four parts.
const R0 = 0;
const R1 = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

// linux/bpf.h and linux/bpf_common.h
const LDX_MEM_W = 0x61;
const ALU_MOV_K = 0xb4;
const ALU_MOV_X = 0xbc;
const ALU_AND_K = 0x54;
const ALU_RSH_K = 0x74;
const JEQ_K = 0x15;
const JNE_K = 0x55;
const JNE_X = 0x5d;
const EXIT = 0x95;

const DEVICE_BLOCK = 1;
const DEVICE_CHAR = 2;
const accessBits: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ALL_ACCESS = 7;

interface Instruction {
  readonly code: number;
  readonly dst: number;
  readonly src?: number;
  readonly off?: number;
  readonly imm?: number;
}

/**
 * An array of struct bpf_insn. A later rule beats an earlier one, as in version 1: so the program
 * asks the last rule first. What no rule names is denied.
 */
export function deviceProgram(rules: readonly OciDeviceRule[]): Buffer {
  const program: Instruction[] = [
    { code: LDX_MEM_W, dst: TYPE, src: R1, off: 0 },
    { code: ALU_MOV_X, dst: ACCESS, src: TYPE },
    { code: ALU_AND_K, dst: TYPE, imm: 0xffff },
    { code: ALU_RSH_K, dst: ACCESS, imm: 16 },
    { code: LDX_MEM_W, dst: MAJOR, src: R1, off: 4 },
    { code: LDX_MEM_W, dst: MINOR, src: R1, off: 8 },
  ];
  for (const rule of [...rules].reverse()) {
    program.push(...block(rule));
    // Nothing that stands before a rule about everything ever comes to be asked.
    if (matchesAll(rule)) return encode(program);
  }
  program.push({ code: ALU_MOV_K, dst: R0, imm: 0 }, { code: EXIT, dst: 0 });
  return encode(program);
}

function matchesAll(rule: OciDeviceRule): boolean {
  return rule.type === 'a' && rule.major === undefined && rule.minor === undefined &&
    maskOf(rule.access) === ALL_ACCESS;
}

function block(rule: OciDeviceRule): Instruction[] {
  const checks: Instruction[] = [];
  if (rule.type !== 'a') {
    checks.push({ code: JNE_K, dst: TYPE, imm: rule.type === 'b' ? DEVICE_BLOCK : DEVICE_CHAR });
  }
  const mask = maskOf(rule.access);
  if (mask !== ALL_ACCESS) {
    // Allowed when every kind of access that is asked for is in the rule; a denial takes any.
    checks.push(
      { code: ALU_MOV_X, dst: R1, src: ACCESS },
      { code: ALU_AND_K, dst: R1, imm: mask },
      rule.allow ? { code: JNE_X, dst: R1, src: ACCESS } : { code: JEQ_K, dst: R1, imm: 0 },
    );
  }
  if (rule.major !== undefined) checks.push({ code: JNE_K, dst: MAJOR, imm: rule.major });
  if (rule.minor !== undefined) checks.push({ code: JNE_K, dst: MINOR, imm: rule.minor });
  const verdict = [{ code: ALU_MOV_K, dst: R0, imm: rule.allow ? 1 : 0 }, { code: EXIT, dst: 0 }];
  const length = checks.length + verdict.length;
  const jumps = new Set([JEQ_K, JNE_K, JNE_X]);
  return [
    ...checks.map((each, at) => (jumps.has(each.code) ? { ...each, off: length - at - 1 } : each)),
    ...verdict,
  ];
}

function maskOf(access: string): number {
  return [...access].reduce((mask, letter) => mask | (accessBits[letter] ?? 0), 0);
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, { code, dst, src = 0, off = 0, imm = 0 }] of program.entries()) {
    bytes.writeUInt8(code, i * 8);
    bytes.writeUInt8((src << 4) | dst, i * 8 + 1);
    bytes.writeInt16LE(off, i * 8 + 2);
    bytes.writeInt32LE(imm, i * 8 + 4);
  }
  return bytes;
}
