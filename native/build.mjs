// Compiles the C programs of native/*/ into dist/native/: those that are older than their sources.
// The shim is static (musl where it is installed: 0.1 MB resident; else glibc), the others are not.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { opcodesHeader } from './launch/opcodes-header.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '..', 'dist', 'native');

const warnings = [
  ...['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wshadow'],
  '-Wno-missing-field-initializers',
];
const small = ['-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections', '-s'];

/** What is built: folder, result, compiler and flags; a folder without .c files is passed over. */
const programs = [
  {
    folder: 'shim',
    result: 'tsdocker-shim',
    compiler: compilerExists('musl-gcc') ? 'musl-gcc' : 'gcc',
    flags: [
      ...['-D_GNU_SOURCE', '-O2', '-static', '-fomit-frame-pointer'],
      ...['-fno-asynchronous-unwind-tables', '-fno-tree-loop-distribute-patterns'],
      ...small,
    ],
  },
  {
    folder: 'lib',
    result: 'libtsdocker.so',
    compiler: 'gcc',
    flags: ['-D_GNU_SOURCE', '-O2', '-shared', '-fPIC', '-fvisibility=hidden', ...small],
  },
  {
    folder: 'unpack',
    result: 'tsdocker-unpack',
    compiler: 'gcc',
    flags: ['-O2', ...small],
    libraries: ['-lpthread', '-ldl'],
  },
];

function compilerExists(name) {
  const folders = (process.env.PATH ?? '').split(':');
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** `native/<folder>/build.json` may add `{"flags": [...], "libraries": [...]}`. */
function extrasOf(folder) {
  const path = join(here, folder, 'build.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

function modifiedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function build({ folder, result, compiler, flags, libraries = [] }) {
  const source = join(here, folder);
  const names = existsSync(source) ? readdirSync(source) : [];
  const units = names.filter((name) => name.endsWith('.c')).map((name) => join(source, name));
  if (units.length === 0) return;
  const isInput = (name) => /\.(c|h|json)$/.test(name);
  const inputs = names.filter(isInput).map((name) => join(source, name));
  const newest = Math.max(...[...inputs, fileURLToPath(import.meta.url)].map(modifiedMs));
  const target = join(out, result);
  if (modifiedMs(target) > newest) return;
  const extras = extrasOf(folder);
  const draft = `${target}.${process.pid}`;
  const options = [...warnings, ...flags, ...(extras.flags ?? []), '-o', draft, ...units];
  console.log(`${compiler} native/${folder} → dist/native/${result}`);
  options.push(...libraries, ...(extras.libraries ?? []));
  execFileSync(compiler, options, { stdio: 'inherit' });
  // In one step: the old one may be running, or being read by another build.
  renameSync(draft, target);
}

/** The C header follows the table in TypeScript; written only when it says something else. */
async function writeOpcodesHeader() {
  const typescript = readFileSync(join(here, 'launch', 'opcodes.ts'), 'utf8');
  const { code } = transformSync(typescript, { loader: 'ts', format: 'esm' });
  const { opcodes } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const header = opcodesHeader(opcodes);
  const path = join(here, 'shim', 'opcodes.h');
  if (!existsSync(path) || readFileSync(path, 'utf8') !== header) writeFileSync(path, header);
}

mkdirSync(out, { recursive: true });
await writeOpcodesHeader();
const only = process.argv.slice(2);
for (const program of programs) {
  if (only.length === 0 || only.includes(program.folder)) build(program);
}
