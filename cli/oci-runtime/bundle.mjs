// Makes dist/cli/oci-runtime/program.bundle.cjs: every command begins with loading the modules, and
// one file takes a fraction of the time.
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundling, ownUrls } from '../../daemon/bundling.mjs';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist');
const folder = join(dist, 'cli', 'oci-runtime');

await build({
  ...bundling,
  entryPoints: [join(folder, 'program.js')],
  outfile: join(folder, 'program.bundle.cjs'),
  plugins: [ownUrls(folder)],
});
await chmod(join(folder, 'main.cjs'), 0o755);
