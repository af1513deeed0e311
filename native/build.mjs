// Compiles the C programs of native/*/ into dist/native/: those that are older than their sources.
// The shim is static (musl where it is installed: 0.1 MB resident; else glibc), and so is the OCI
// runtime's quick door, which lives for a millisecond; the others are not.
// For another machine: CROSS_COMPILE=aarch64-linux-gnu- NATIVE_OUT=folder node native/build.mjs
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
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { opcodesHeader } from './launch/opcodes-header.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.env.NATIVE_OUT ?? join(here, '..', 'dist', 'native');
const cross = process.env.CROSS_COMPILE ?? '';

const warnings = [
  ...['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wshadow'],
  '-Wno-missing-field-initializers',
];
const small = ['-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections', '-s'];

/** A program of its own libc. */
const alone = {
  compiler: cross === '' && compilerExists('musl-gcc') ? 'musl-gcc' : `${cross}gcc`,
  flags: [
    ...['-D_GNU_SOURCE', '-O2', '-static', '-fomit-frame-pointer'],
    ...['-fno-asynchronous-unwind-tables', '-fno-tree-loop-distribute-patterns'],
    // Code and constants in one mapping: each costs the start of a short life its share.
    '-Wl,-z,noseparate-code',
    ...small,
  ],
};

/**
 * What is built: folder, result, compiler and flags; `also` are files of other folders. A folder
 * without .c files is passed over.
 */
const programs = [
  { folder: 'shim', result: 'tsdocker-shim', ...alone },
  {
    folder: 'oci-door',
    result: 'tsdocker-runtime',
    also: ['shim/frames.c', 'shim/protocol.h', 'shim/sys.h', 'shim/shim.h'],
    compiler: alone.compiler,
    flags: [...alone.flags, `-DBUILT_BY=${JSON.stringify(process.execPath)}`],
  },
  {
    folder: 'lib',
    result: 'libtsdocker.so',
    compiler: `${cross}gcc`,
    flags: ['-D_GNU_SOURCE', '-O2', '-shared', '-fPIC', '-fvisibility=hidden', ...small],
  },
  {
    folder: 'unpack',
    result: 'tsdocker-unpack',
    compiler: `${cross}gcc`,
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

function build({ folder, result, compiler, flags, also = [], libraries = [] }) {
  const source = join(here, folder);
  const names = existsSync(source) ? readdirSync(source) : [];
  const files = [
    ...names.map((name) => join(source, name)), ...also.map((name) => join(here, name)),
  ];
  const units = files.filter((name) => name.endsWith('.c'));
  if (units.length === 0) return;
  const inputs = files.filter((name) => /\.(c|h|json)$/.test(name));
  const newest = Math.max(...[...inputs, fileURLToPath(import.meta.url)].map(modifiedMs));
  const target = join(out, result);
  if (modifiedMs(target) > newest) return;
  const extras = extrasOf(folder);
  const draft = `${target}.${process.pid}`;
  const options = [...warnings, ...flags, ...(extras.flags ?? []), '-o', draft, ...units];
  console.log(`${compiler} native/${folder} → ${relative(process.cwd(), target)}`);
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
