// For bundles of dist/: what a module finds beside itself it goes on finding there, not beside the
// bundle.
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';

/** A plugin of esbuild; `folder` is the bundle's. */
export const ownUrls = (folder) => ({
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
});

/** How programs of dist/ are bundled. */
export const bundling = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['better-sqlite3', 'koffi'],
  minifySyntax: true,
  minifyWhitespace: true,
  // For `node --enable-source-maps`; a program never loads it by itself.
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
};
