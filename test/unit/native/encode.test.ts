import { readFileSync } from 'node:fs';
import { test } from 'tap';
import {
  encodeProgram,
  LaunchError,
  ProgramError,
  stepError,
} from '../../../native/launch/encode.js';
import { CWD, opcodes, type LaunchProgram, type Step } from '../../../native/launch/opcodes.js';

const repository = new URL('../../../../', import.meta.url);

function hostProgram(...host: readonly Step[]): LaunchProgram {
  return { host, init: [] };
}

test('the C header says what the table says', async (t) => {
  const path = new URL('native/launch/opcodes-header.mjs', repository);
  const module: unknown = await import(path.href);
  // The module is ours, in JavaScript because the build needs it before TypeScript is compiled.
  const { opcodesHeader } = module as { opcodesHeader: (table: typeof opcodes) => string };
  const committed = readFileSync(new URL('native/shim/opcodes.h', repository), 'utf8');
  t.equal(committed, opcodesHeader(opcodes));
});

test('no two opcodes share a number', (t) => {
  const codes = Object.values(opcodes).map(({ code }) => code);
  t.equal(new Set(codes).size, codes.length);
  t.end();
});

test('a step is its opcode, where to go, what it tolerates, and its operands in order', (t) => {
  const program = hostProgram(
    { op: 'mkdirat', dir: CWD, path: 'é', mode: 0o755, tolerate: ['EEXIST'], goto: 'end' },
    { op: 'close', fd: 3, label: 'end' },
  );
  const bytes = encodeProgram(program);
  t.same([0, 4, 8].map((at) => bytes.readUInt32LE(at)), [0x314c5354, 2, 0]);
  const first = bytes.subarray(bytes.readUInt32LE(12), bytes.readUInt32LE(16));
  t.same([...first], [
    ...[4, 0, 1, 0, 1, 0, 17, 0],
    ...[0xff, 0xff, 0xff, 0xff],
    ...[2, 0, 0, 0, 0xc3, 0xa9, 0],
    ...[0xed, 1, 0, 0],
  ]);
  const second = bytes.subarray(bytes.readUInt32LE(16));
  t.same([...second], [2, 0, 0xff, 0xff, 0, 0, 3, 0, 0, 0]);
  t.end();
});

test('negative numbers are what C would make of them', (t) => {
  const bytes = encodeProgram(hostProgram({ op: 'setpriority', nice: -5 }));
  t.equal(bytes.readInt32LE(bytes.length - 4), -5);
  const limits = encodeProgram(hostProgram({ op: 'setrlimit', resource: 7, soft: 1, hard: -1n }));
  t.equal(limits.readBigUInt64LE(limits.length - 8), 0xffff_ffff_ffff_ffffn);
  t.end();
});

test('a program that breaks the contract is refused before anything runs', (t) => {
  const refused: readonly (readonly [string, Step[]])[] = [
    ['a slot that does not exist', [{ op: 'close', fd: 256 }]],
    ['a string with NUL', [{ op: 'chdir', path: 'a\0b' }]],
    ['a number too large', [{ op: 'umask', mask: 2 ** 32 }]],
    ['a number too small', [{ op: 'umask', mask: -(2 ** 31) - 1 }]],
    ['half a number', [{ op: 'umask', mask: 0.5 }]],
    ['an errno that does not exist', [{ op: 'setsid', tolerate: ['ENOPE'] }]],
    ['a label that does not exist', [{ op: 'setsid', goto: 'nowhere' }]],
    ['a jump without a label', [{ op: 'jump' }]],
    ['a jump backwards', [{ op: 'setsid', label: 'a' }, { op: 'jump', goto: 'a' }]],
    ['a label twice', [{ op: 'setsid', label: 'a' }, { op: 'setsid', label: 'a' }]],
    ['too many steps', Array.from({ length: 4097 }, () => ({ op: 'setsid' }) as const)],
  ];
  for (const [what, steps] of refused) {
    t.throws(() => encodeProgram(hostProgram(...steps)), ProgramError, what);
  }
  t.end();
});

test('the error of a step names it as the user knows it', (t) => {
  const program: LaunchProgram = {
    host: [{ op: 'setsid' }],
    init: [{ op: 'chdir', path: '/x', about: 'working directory /x' }],
  };
  const error = stepError(program, 'init', 0, 2);
  t.ok(error instanceof LaunchError);
  t.match(error, { strand: 'init', code: 'ENOENT', message: 'working directory /x: ENOENT' });
  t.equal(stepError(program, 'host', 0, 1).message, 'setsid(2): EPERM');
  t.equal(stepError(program, 'init', 0xffffffff, 3).step, undefined);
  t.end();
});
