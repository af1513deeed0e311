// Makes dist/daemon/tsdockerd.bundle.cjs: the daemon's main thread in one file, which loads in less
// memory and time than a thousand. Workers stay modules of their own, and native code where it is.
import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const folder = join(dist, 'daemon');
const bundle = join(folder, 'tsdockerd.bundle.cjs');

/** What a module finds beside itself it goes on finding there, not beside the bundle. */
const ownUrls = {
  name: 'own-urls',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/dist\/.*\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const own = JSON.stringify(relative(folder, path));
      return {
        loader: 'js',
        contents: text.replaceAll(
          'import.meta.url',
          `require('node:url').pathToFileURL(require('node:path').join(__dirname, ${own})).href`,
        ),
      };
    });
  },
};

await build({
  entryPoints: [join(folder, 'program.js')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['better-sqlite3', 'koffi'],
  plugins: [ownUrls],
  minifySyntax: true,
  minifyWhitespace: true,
  // For `node --enable-source-maps`; a daemon never loads it by itself.
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
});
