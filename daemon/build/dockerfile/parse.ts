/** A Dockerfile as text → what it says. Pure; every error is a 400 in Docker's words. */
import { errorAt } from './dockerfile-error.js';
import type {
  ArgInstruction,
  FromInstruction,
  Instruction,
  StageInstruction,
} from './instruction.js';
import { invalidParameter } from '../../../api-spec/errors.js';
import { readLines, type EscapeToken, type Heredoc, type LogicalLine } from './lines.js';
import { nearest } from './nearest.js';
import { parsers } from './parsers.js';

/** One stage: its `FROM` and what follows. */
export interface Stage {
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

/** A whole Dockerfile. */
export interface Dockerfile {
  readonly escape: EscapeToken;
  /** Before the first `FROM`. */
  readonly globals: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  readonly warnings: readonly string[];
}

/** Bound on stages and instructions together; what people write stays far below. */
const maxInstructions = 10_000;

/** Reads a Dockerfile. */
export function parseDockerfile(text: string): Dockerfile {
  const { escape, lines, warnings } = readLines(text);
  if (lines.length > maxInstructions) {
    throw invalidParameter(`the Dockerfile has more than ${maxInstructions} instructions`);
  }
  const globals: ArgInstruction[] = [];
  const stages: { from: FromInstruction; instructions: StageInstruction[] }[] = [];
  for (const line of lines) {
    const instruction = parseInstruction(line, escape);
    if (instruction.kind === 'FROM') stages.push({ from: instruction, instructions: [] });
    else if (stages.length === 0) globals.push(globalOf(instruction));
    else stages.at(-1)?.instructions.push(instruction);
  }
  if (stages.length === 0) throw invalidParameter('no build stage in current context');
  return { escape, globals, stages, warnings };
}

function globalOf(instruction: StageInstruction): ArgInstruction {
  if (instruction.kind === 'ARG') return instruction;
  throw invalidParameter('no build stage in current context');
}

/** One line alone: also for `ONBUILD` triggers, which lie in an image's config. */
export function parseTrigger(text: string, line: number): StageInstruction {
  const [first] = readLines(text).lines;
  const instruction =
    first === undefined ? undefined : parseInstruction({ ...first, line }, '\\');
  if (instruction === undefined || instruction.kind === 'FROM') {
    throw errorAt(line, "FROM isn't allowed as an ONBUILD trigger");
  }
  return instruction;
}

function parseInstruction(line: LogicalLine, escape: EscapeToken): Instruction {
  const [, word = '', rest = ''] = /^(\S*)\s*([\s\S]*)$/.exec(line.text) ?? [];
  const kind = word.toUpperCase();
  const parse = Object.hasOwn(parsers, kind) ? parsers[kind] : undefined;
  if (parse === undefined) throw errorAt(line.line, unknownInstruction(word));
  return parse({ ...line, kind, rest, escape });
}

function unknownInstruction(word: string): string {
  const meant = word === '' ? undefined : nearest(word, Object.keys(parsers));
  return `unknown instruction: ${word}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
}

/** What a parser of one instruction is given. */
export interface Statement {
  readonly kind: string;
  readonly line: number;
  readonly text: string;
  /** Without the instruction's own word. */
  readonly rest: string;
  readonly escape: EscapeToken;
  readonly heredocs: readonly Heredoc[];
}
