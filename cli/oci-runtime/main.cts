#!/usr/bin/env node
// One file loads in a fraction of the time that a hundred modules take, unless these are newer.

const fs = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');

const bundle = `${__dirname}/program.bundle.cjs`;
/** Written by the compiler whenever it has compiled something anew. */
const buildInfo = `${__dirname}/../../.tsbuildinfo`;

const modules = () => import('./program.js');

function isNewer(file: string, other: string): boolean {
  const modifiedMs = (each: string): number =>
    fs.statSync(each, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return modifiedMs(file) > modifiedMs(other);
}

async function run(): Promise<number> {
  const args = process.argv.slice(2);
  const self = { version: version() };
  if (!isNewer(bundle, buildInfo)) return (await modules()).runProgram(args, self);
  // Made of that very module (`bundle.mjs`).
  const { runProgram } = createRequire(__filename)(bundle) as Awaited<ReturnType<typeof modules>>;
  return runProgram(args, { ...self, bundle });
}

function version(): string {
  const manifest: unknown = JSON.parse(
    fs.readFileSync(`${__dirname}/../../../package.json`, 'utf8'),
  );
  const isKnown = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return isKnown ? String(manifest.version) : 'unknown';
}

void run().then((status) => process.exit(status));
