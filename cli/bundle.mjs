// Makes dist/cli/tsdocker.cjs: the client in one file that plain `node` runs.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const folder = join(root, 'dist', 'cli');
const bundle = join(folder, 'tsdocker.bundle.cjs');
const program = join(folder, 'tsdocker.cjs');

await mkdir(folder, { recursive: true });
await build({
  entryPoints: [join(root, 'cli', 'main.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  define: { 'process.env.TSDOCKER_CLI_VERSION': JSON.stringify(version) },
});

// A module is compiled before its first line runs, so the cache must be switched on by another.
await writeFile(
  program,
  `#!/usr/bin/env node
'use strict';
require('node:module').enableCompileCache?.();
require('./tsdocker.bundle.cjs');
`,
);
await chmod(program, 0o755);
