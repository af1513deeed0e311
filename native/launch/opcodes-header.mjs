// The text of native/shim/opcodes.h, made from the table in opcodes.ts; the build writes it, a test
// compares it with what is committed.
const letters = { fd: 'f', out: 'o', u32: 'i', u64: 'q', str: 's', bytes: 'b', strs: 'l' };

export function opcodesHeader(opcodes) {
  const rows = Object.entries(opcodes).map(([name, { code, call, operands }]) => {
    const kinds = Object.values(operands).map((kind) => letters[kind]).join('');
    return `    OPCODE(${name}, ${code}, "${kinds}") /* ${call} */`;
  });
  const last = Math.max(...Object.values(opcodes).map(({ code }) => code));
  return [
    '/* Generated from native/launch/opcodes.ts by native/build.mjs: change that, not this. */',
    '#ifndef TSDOCKER_OPCODES_H',
    '#define TSDOCKER_OPCODES_H',
    '',
    '/* OPCODE(name, code, operands): f fd, o out, i u32, q u64, s str, b bytes, l strs. */',
    '#define OPCODES \\',
    rows.join(' \\\n'),
    '',
    `#define OPCODE_LAST ${last}`,
    '',
    '#endif',
    '',
  ].join('\n');
}
