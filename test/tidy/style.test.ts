import { test } from 'tap';
import { findings, projectFiles, sourceFiles } from './project-files.js';

const maxLines = 400;
const maxColumns = 100;

/** Tables whose rows are one thing each, and what a program wrote. */
const wideTables = new Set([
  'native/launch/opcodes.ts', 'native/shim/opcodes.h', 'daemon/config/options.ts',
  '.dependency-cruiser.cjs', 'eslint.config.js',
]);

const longTables = new Set(['native/launch/opcodes.ts', 'native/shim/opcodes.h']);

test('no file is longer than 400 lines', async (t) => {
  const long = sourceFiles()
    .filter(({ path, text }) => !longTables.has(path) && text.split('\n').length > maxLines + 1)
    .map(({ path, text }) => `${path}: ${text.split('\n').length - 1} lines`);
  t.same(long, []);
});

test('no line is longer than 100 columns', async (t) => {
  // A link or a name of a test cannot be broken without harm.
  const unbreakable = /https?:\/\/\S{40}|^\s*(await )?t?\.?test\('/;
  const wide = findings(
    sourceFiles(),
    (line, { path }) =>
      [...line].length > maxColumns && !wideTables.has(path) && !unbreakable.test(line),
  );
  t.same(wide, []);
});

test('files have kebab-case names', async (t) => {
  // C follows the kernel's habit of underscores.
  const odd = sourceFiles()
    .map(({ path }) => path)
    .filter((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1).replace(/^\./, '');
      return !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*$/.test(name) && !/\.[ch]$/.test(name);
    });
  t.same(odd, []);
});

test('no name says nothing: util, helper, manager, common, misc', async (t) => {
  const vague = sourceFiles()
    .map(({ path }) => path)
    .filter((path) => /(^|[/.-])(utils?|helpers?|managers?|common|misc|lib)([/.-]|$)/.test(path))
    // A shared library, in the linker's word.
    .filter((path) => !path.startsWith('native/lib/'));
  t.same(vague, []);
});

test('what is left to do names its issue', async (t) => {
  const marks = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'];
  const mark = new RegExp(`\\b(${marks.join('|')})\\b(?! ?\\(#\\d+\\))`);
  t.same(findings(sourceFiles(), (line) => mark.test(line)), []);
});

test('no export is a default', async (t) => {
  const files = sourceFiles().filter(({ path }) => path.endsWith('.ts'));
  t.same(findings(files, (line) => /^export default\b/.test(line)), []);
});

test('nothing tells of the place where it was written', async (t) => {
  // Put together here, lest this file find itself.
  const words = [
    ['/wo', 'rk/'], ['/root', '/\\.'], ['/tmp/ref', 'erence'], ['artifact', 'ory'],
    ['nexus', '\\.'], ['mirror\\.', 'inter'], ['cla', 'ude'], ['second-', 'kernel/run'],
  ].map((parts) => parts.join(''));
  const wrong = new RegExp(words.join('|'), 'i');
  t.same(findings(projectFiles(), (line) => wrong.test(line)), []);
});

test('lines end as text does', async (t) => {
  t.same(
    findings(sourceFiles(), (line) => /[ \t\r]+$/.test(line)),
    [],
  );
  t.same(
    projectFiles()
      .filter(({ text }) => text !== '' && !text.endsWith('\n'))
      .map(({ path }) => path),
    [],
  );
});
