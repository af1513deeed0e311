// Makes dist/daemon/tsdockerd.bundle.cjs: the daemon's main thread in one file, which loads in less
// memory and time than a thousand. Workers stay modules of their own, and native code where it is.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundling, ownUrls } from './bundling.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'daemon');

await build({
  ...bundling,
  entryPoints: [join(folder, 'program.js')],
  outfile: join(folder, 'tsdockerd.bundle.cjs'),
  plugins: [ownUrls(folder)],
});
