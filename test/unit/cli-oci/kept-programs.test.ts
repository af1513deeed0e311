import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { KEPT_FOLDER, keptPrograms } from '../../../cli/oci-runtime/kept-programs.js';
import type { Template, TemplateStore } from '../../../daemon/runtime/launch-template.js';

const template: Template = {
  stdio: { kind: 'none' }, rootDir: 3, inherited: [0, 1, 2], passed: [],
  places: [{ offset: 5, length: 64 }], bytes: Buffer.from('a program'),
};

interface Scene {
  readonly root: string;
  readonly compiler: string;
  readonly store: () => TemplateStore;
  readonly files: () => readonly string[];
}

function scene(t: Test): Scene {
  const root = t.testdir({ 'code.cjs': 'compiles' });
  const compiler = join(root, 'code.cjs');
  const folder = join(root, KEPT_FOLDER);
  return {
    root, compiler, store: () => keptPrograms(root, compiler),
    files: () => fs.readdirSync(folder).map((name) => join(folder, name)),
  };
}

test('what was put is there for who comes later, under its own inputs only', async (t) => {
  const { store, files } = scene(t);
  t.equal(store().get('inputs'), undefined);
  store().put('inputs', template);
  t.same(store().get('inputs'), template);
  t.equal(store().get('others'), undefined);
  t.equal(files().length, 1);
  t.equal(fs.statSync(files()[0] ?? '').mode & 0o777, 0o600);
});

test('other code compiles anew', async (t) => {
  const { store, compiler } = scene(t);
  store().put('inputs', template);
  fs.writeFileSync(compiler, 'compiles otherwise');
  t.equal(store().get('inputs'), undefined);
});

test('what is not as it was written is compiled anew', async (t) => {
  const { store, files } = scene(t);
  store().put('inputs', template);
  const [file = ''] = files();
  const whole = fs.readFileSync(file);
  for (const at of [0, 33, whole.length - 1]) {
    const changed = Buffer.from(whole);
    changed.writeUInt8((changed[at] ?? 0) ^ 1, at);
    fs.writeFileSync(file, changed);
    t.equal(store().get('inputs'), undefined, `byte ${at}`);
  }
  for (const size of [0, 10, 32, 35, whole.length - 1]) {
    fs.writeFileSync(file, whole.subarray(0, size));
    t.equal(store().get('inputs'), undefined, `${size} bytes`);
  }
  store().put('inputs', template);
  t.same(store().get('inputs'), template);
});

test('64 are kept, those that were used last', async (t) => {
  const { store, files } = scene(t);
  for (let i = 0; i < 64; i++) store().put(`inputs ${i}`, template);
  const past = new Date(Date.now() - 60_000);
  for (const file of files()) fs.utimesSync(file, past, past);
  store().get('inputs 7');
  const [first = ''] = files().filter((file) => fs.statSync(file).mtimeMs < Date.now() - 30_000);
  const earlier = new Date(Date.now() - 120_000);
  fs.utimesSync(first, earlier, earlier);
  store().put('one more', template);
  t.equal(files().length, 64);
  t.equal(fs.existsSync(first), false);
  t.ok(store().get('inputs 7') && store().get('one more'));
});
