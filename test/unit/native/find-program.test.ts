import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { codeOf, ErrnoError, hasCode } from '../../../native/errno-error.js';
import { findProgram } from '../../../native/find-program.js';

test('a program is found where a shell would find it', (t) => {
  const root = t.testdir({
    first: { tool: 'not executable', folder: {} },
    second: { tool: '#!/bin/sh' },
    third: { tool: '#!/bin/sh', other: '#!/bin/sh' },
  });
  const at = (...parts: string[]): string => join(root, ...parts);
  for (const path of [at('second', 'tool'), at('third', 'tool'), at('third', 'other')]) {
    chmodSync(path, 0o755);
  }
  const path = `${at('none')}::${at('first')}:${at('second')}`;
  t.equal(findProgram('tool', [at('third')], path), at('second', 'tool'));
  t.equal(findProgram('other', [at('third')], path), at('third', 'other'), 'then elsewhere');
  t.equal(findProgram('other', [], path), undefined);
  t.equal(findProgram('folder', [], path), undefined, 'a folder is no program');
  t.end();
});

test('codes of errors, whoever threw them', (t) => {
  t.equal(codeOf(new ErrnoError('open', 'ENOENT', '/x')), 'ENOENT');
  t.equal(codeOf(Object.assign(new Error('x'), { code: 'EPERM' })), 'EPERM');
  t.equal(codeOf(Object.assign(new Error('x'), { code: 5 })), '');
  t.equal(codeOf(new Error('x')), '');
  t.equal(codeOf('ENOENT'), '');
  t.equal(hasCode(new ErrnoError('open', 'ENOENT'), 'EPERM', 'ENOENT'), true);
  t.equal(hasCode(new Error('x'), 'ENOENT'), false);
  t.end();
});
