import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { projectFiles, projectRoot } from './project-files.js';

/** The top level as the product's owner fixed it. */
const topLevel = new Set([
  'api-spec', 'bench', 'cli', 'daemon', 'docs', 'native', 'netplugins', 'storage-drivers',
  'systemd', 'test', '.ci', 'package.json', 'package-lock.json', 'tsconfig.json',
  'docker-compose.test.yml', 'README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md',
  'LICENSE', 'eslint.config.js',
]);

const folders = (path: string): readonly string[] =>
  readdirSync(join(projectRoot, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

test('the top level holds what was agreed and nothing else', async (t) => {
  const names = new Set(projectFiles().map(({ path }) => path.split('/')[0] ?? ''));
  const strange = [...names].filter(
    (name) => !topLevel.has(name) && !/^\.[a-z-]+(rc|ignore|format|\.cjs)?$/.test(name),
  );
  t.same(strange, []);
});

test('ARCHITECTURE.md names every folder', async (t) => {
  const map = join(projectRoot, 'ARCHITECTURE.md');
  if (!existsSync(map)) return t.fail('ARCHITECTURE.md is missing');
  const text = readFileSync(map, 'utf8');
  const tracked = new Set(projectFiles().map(({ path }) => path.split('/').slice(0, 2).join('/')));
  const places = [
    ...folders('.').filter((name) => topLevel.has(name)),
    ...['daemon', 'storage-drivers', 'netplugins', 'native', 'test'].flatMap((parent) =>
      folders(parent).map((name) => `${parent}/${name}`).filter((path) => tracked.has(path)),
    ),
  ];
  // In a tree drawing a folder stands alone at the end of its line's path.
  const isNamed = (path: string): boolean =>
    text.includes(`${path}/`) || text.includes(`${path.split('/').at(-1) ?? path}/`);
  t.same(places.filter((path) => !isNamed(path)), []);
});

test('package.json names programs and at most twelve scripts', async (t) => {
  const json = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
  t.ok(Object.keys(json.scripts).length <= 12);
  for (const program of ['tsdockerd', 'tsdocker']) t.match(json.bin[program], /^dist\//);
  const lock = readFileSync(join(projectRoot, 'package-lock.json'), 'utf8');
  t.notMatch(lock, '"resolved": "http');
});

test('a program of package.json is built from a source in the tree', async (t) => {
  const json = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
  const sources = Object.values(json.bin).map((path) => String(path).replace(/^dist\//, ''));
  const missing = sources.filter(
    (path) =>
      !['.cts', '.ts', '.mts'].some((end) =>
        existsSync(join(projectRoot, path.replace(/\.c?js$/, end))),
      ),
  );
  // The command line is bundled: its one file has the source that the bundle begins with.
  t.same(missing.filter((path) => path !== 'cli/tsdocker.cjs'), []);
});
