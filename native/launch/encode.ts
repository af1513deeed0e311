import { errnoName, errnoNumber } from '../errno.js';
import {
  CWD,
  opcodes,
  type LaunchProgram,
  type OpcodeEntry,
  type OperandKind,
  type Step,
} from './opcodes.js';
import { ByteWriter } from './byte-writer.js';

/** Bounds of a program; the decoder in the shim has the same ones and refuses what exceeds them. */
export const programLimits = {
  /** Slots of the fd table. */
  slots: 256,
  stepsPerStrand: 4096,
  /** argv, env or candidate paths of one step. */
  stringsPerList: 65_536,
  tolerated: 16,
  /** The kernel takes 2 MiB of argv and env; mount data and filters are small beside it. */
  programBytes: 8 * 1024 * 1024,
} as const;

/** A launch with the default profile fits: room that grows is room that is copied. */
const usualBytes = 32 * 1024;

/** First word of an encoded program: `TSL1`. */
export const PROGRAM_MAGIC = 0x314c5354;
/** "The next step", where a step names no label. */
const NEXT = 0xffff;

/** Who carries a step out: the shim, or the child that becomes the container. */
export type StrandName = 'host' | 'init';

/**
 * A launch that failed. `step` is the one whose call failed; it is absent when the shim itself did
 * (strand `shim`: its socket, log or exit file, named in `about`, or its own death).
 */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';

  constructor(
    readonly strand: StrandName | 'shim',
    /** `ENOENT`, … */
    readonly code: string,
    /** What a user would call it: the step's `about`, else its call. */
    readonly about: string,
    readonly step?: Step,
  ) {
    super(`${about}: ${code}`);
  }
}

/** A program that breaks its own contract: its compiler's bug, found before any step ran. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
}

/**
 * The bytes that the shim carries out. Labels become step numbers, errno names numbers; every
 * operand is checked against the opcode's table. Throws `ProgramError` and nothing else.
 *
 * Layout, little-endian: magic, number of host steps, number of init steps, one offset per step
 * (from the start), then the steps: `u16 opcode, u16 goto, u16 n, u16 × n errnos`, operands.
 */
export function encodeProgram(program: LaunchProgram): Buffer {
  const strands = [program.host, program.init] as const;
  const writer = new ByteWriter(usualBytes, programLimits.programBytes);
  writer.u32(PROGRAM_MAGIC);
  for (const strand of strands) {
    if (strand.length > programLimits.stepsPerStrand) throw new ProgramError('too many steps');
    writer.u32(strand.length);
  }
  const offsets = writer.reserve(4 * (program.host.length + program.init.length));
  let nth = 0;
  for (const strand of strands) {
    const labels = labelsOf(strand);
    for (const [index, step] of strand.entries()) {
      writer.patchU32(offsets + 4 * nth++, writer.size);
      encodeNamed(writer, step, index, labels);
    }
  }
  return writer.bytes();
}

function labelsOf(strand: readonly Step[]): ReadonlyMap<string, number> {
  const labels = new Map<string, number>();
  for (const [index, step] of strand.entries()) {
    if (step.label === undefined) continue;
    if (labels.has(step.label)) throw new ProgramError(`label ${step.label} is there twice`);
    labels.set(step.label, index);
  }
  return labels;
}

/** The words of a fault are made when there is one: most programs have none to pay for. */
function encodeNamed(
  writer: ByteWriter,
  step: Step,
  index: number,
  labels: ReadonlyMap<string, number>,
): void {
  try {
    encodeStep(writer, step, index, labels);
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw new ProgramError(`step ${index} (${describeStep(step)}): ${error.message}`);
  }
}

function encodeStep(
  writer: ByteWriter,
  step: Step,
  index: number,
  labels: ReadonlyMap<string, number>,
): void {
  const { code, operands } = entries[step.op];
  const tolerate = step.tolerate ?? [];
  if (tolerate.length > programLimits.tolerated) throw new ProgramError('tolerates too much');
  writer.u16(code);
  writer.u16(targetOf(step, index, labels));
  writer.u16(tolerate.length);
  for (const name of tolerate) {
    const number = errnoNumber(name);
    if (number === undefined) throw new ProgramError(`no errno is called ${name}`);
    writer.u16(number);
  }
  // The mapped type of Step guarantees these keys; each value is checked once more.
  const values = step as unknown as Readonly<Record<string, unknown>>;
  for (const [name, kind] of operands) encodeOperand(writer, kind, values[name], name);
}

interface Entry {
  readonly code: number;
  readonly operands: readonly (readonly [name: string, kind: OperandKind])[];
}

const entryOf = ({ code, operands }: OpcodeEntry): Entry => ({
  code,
  operands: Object.entries(operands),
});

/** The table in the form that is walked for each of some 400 steps of a launch. */
const entries = Object.fromEntries(
  Object.entries(opcodes).map(([name, entry]) => [name, entryOf(entry)]),
  // The keys are those of the table.
) as Readonly<Record<Step['op'], Entry>>;

function targetOf(step: Step, index: number, labels: ReadonlyMap<string, number>): number {
  if (step.goto === undefined) {
    if (step.op === 'jump') throw new ProgramError('a jump goes somewhere');
    return NEXT;
  }
  const target = labels.get(step.goto);
  if (target === undefined) throw new ProgramError(`no step is labelled ${step.goto}`);
  // Forward only: no program can loop, so every launch ends.
  if (target <= index) throw new ProgramError(`${step.goto} lies behind it`);
  return target;
}

function encodeOperand(writer: ByteWriter, kind: OperandKind, value: unknown, where: string): void {
  switch (kind) {
    case 'fd':
    case 'out':
      writer.u32(slotNumber(value, where));
      return;
    case 'u32':
      writer.u32(unsigned32(value, where));
      return;
    case 'u64':
      // Nearly all values are small: two words spare them the way through bigint.
      if (isSmall(value)) writer.u64Small(value);
      else writer.u64(unsigned(value, 0xffff_ffff_ffff_ffffn, where));
      return;
    case 'str':
      writer.text(text(value, where));
      return;
    case 'bytes':
      if (!(value instanceof Uint8Array)) throw new ProgramError(`${where} is not bytes`);
      writer.blob(value);
      return;
    case 'strs':
      writeStrings(writer, value, where);
      return;
  }
}

function writeStrings(writer: ByteWriter, value: unknown, where: string): void {
  if (!Array.isArray(value) || value.length > programLimits.stringsPerList) {
    throw new ProgramError(`${where} is not a list of at most ${programLimits.stringsPerList}`);
  }
  writer.u32(value.length);
  for (const one of value) writer.text(text(one, where));
}

function slotNumber(value: unknown, where: string): number {
  const slot = unsigned32(value, where);
  if (slot !== CWD && slot >= programLimits.slots) {
    throw new ProgramError(`${where}: no slot ${slot}`);
  }
  return slot;
}

function isSmall(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

function unsigned32(value: unknown, where: string): number {
  return isSmall(value) ? value : Number(unsigned(value, 0xffff_ffffn, where));
}

/** Negative numbers are wrapped as C would: -1 is every bit set (limits, ids), -5 a niceness. */
function unsigned(value: unknown, max: bigint, where: string): bigint {
  const isNumber = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!isNumber) throw new ProgramError(`${where} is not a whole number`);
  // Narrowed by the line above: a bigint or a safe integer.
  const given = BigInt(value as bigint | number);
  const number = given < 0n ? given + max + 1n : given;
  const isLow = given < 0n && number <= max / 2n;
  if (number < 0n || number > max || isLow) throw new ProgramError(`${where} is out of range`);
  return number;
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new ProgramError(`${where} is not a string`);
  if (value.includes('\0')) throw new ProgramError(`${where} contains NUL`);
  return value;
}

/** What a user would call the step. */
export function describeStep(step: Step): string {
  return step.about ?? opcodes[step.op].call;
}

/** The error for the step that the shim reports by strand, index and errno. */
export function stepError(
  program: LaunchProgram,
  strand: StrandName,
  index: number,
  errno: number,
): LaunchError {
  const step = program[strand][index];
  const about = step === undefined ? `step ${index}` : describeStep(step);
  return new LaunchError(strand, errnoName(errno), about, step);
}
