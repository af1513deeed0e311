import { test } from 'tap';
import { sourceFiles } from './project-files.js';

const exported =
  /^export (?:(?:declare|abstract|async) )*(?:const|function\*?|class|interface|type|enum) (\w+)/;

/** Tests, and operations: each of these is documented by its own `summary`. */
const exempt = /^(test|bench|api-spec\/operations)\//;

/** What is exported without a comment right above it, or above the file's only export. */
function undocumented(text: string): readonly string[] {
  const lines = text.split('\n');
  const names = new Set<string>();
  const documented = new Set<string>();
  let count = 0;
  lines.forEach((line, at) => {
    const name = exported.exec(line)?.[1];
    // A constant of the kernel is documented where its name comes from.
    if (name === undefined || /^[A-Z][A-Z0-9_]+$/.test(name)) return;
    count += 1;
    names.add(name);
    // Overloads and a type with the name of its value share one comment.
    if (/\*\/\s*$/.test(lines[at - 1] ?? '')) documented.add(name);
  });
  const hasHeader = text.startsWith('/**') || text.startsWith('#!');
  if (count === 1 && hasHeader) return [];
  return [...names].filter((name) => !documented.has(name));
}

test('a comment above an export is seen, a missing one as well', async (t) => {
  t.same(undocumented('/** Why. */\nexport const a = 1;\nexport type a = number;\n'), []);
  t.same(undocumented('/** Header. */\nexport function a() {}\n'), []);
  t.same(undocumented('/** Header. */\n\nexport const a = 1;\nexport const b = 2;\n'), ['a', 'b']);
});

test('every export says what it promises', async (t) => {
  const bare = sourceFiles()
    .filter(({ path }) => path.endsWith('.ts') && !exempt.test(path))
    .flatMap(({ path, text }) => undocumented(text).map((name) => `${path}: ${name}`));
  t.same(bare, []);
});
