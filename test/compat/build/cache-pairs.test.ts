/**
 * Two builds, one after the other, with one thing changed between them: what of the second is found
 * in the cache, step by step. The same table on tsdockerd, before and after a restart, and, where
 * REFERENCE_DOCKER_HOST names one, on a reference engine.
 */
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { buildOn, type ContextFile } from '../../support/builds.js';
import { startDaemon } from '../../support/daemon.js';
import { importOnBoth } from '../../support/demo-image.js';
import { engineApi } from '../../support/engine-api.js';

const baseName = `pairs-${randomBytes(4).toString('hex')}`;
const reference = process.env['REFERENCE_DOCKER_HOST']?.replace(/^unix:\/\//, '');

interface Side {
  /** After `FROM` and a line of its own for each pair. */
  readonly lines: string;
  readonly files?: Readonly<Record<string, ContextFile>>;
  readonly query?: Readonly<Record<string, string>>;
}

/**
 * The second build's steps after that line, each `c` from the cache or `r` carried out; what the
 * reference does where it is more: it makes the same image again.
 */
type Pair = readonly [first: Side, second: Side, found: string, reference?: string];

const args = (values: object): Readonly<Record<string, string>> => ({
  buildargs: JSON.stringify(values),
});
const file = (content: string, more: object = {}): ContextFile => ({ content, ...more });

/** The same lines, with other files. */
const context = (
  lines: string,
  one: NonNullable<Side['files']>,
  other: NonNullable<Side['files']>,
  ...found: readonly [string, string?]
): Pair => [{ lines, files: one }, { lines, files: other }, ...found];

/** Other lines, with the same files. */
const instructions = (one: string, other: string, found: string): Pair => {
  const files = { a: 'A', b: 'B', 'd/x': 'X' };
  return [{ lines: one, files }, { lines: other, files }, found];
};
/** Another query. */
const asked = (lines: string, one: object, other: object, found: string): Pair => [
  { lines, query: { ...one } },
  { lines, query: { ...other } },
  found,
];

const copy = 'COPY a /a\nRUN true\n';
const folder = 'COPY d /d\nRUN true\n';

const pairs: Readonly<Record<string, Pair>> = {
  nothing: instructions(`${copy}ENV A=1\nLABEL b=2\n`, `${copy}ENV A=1\nLABEL b=2\n`, 'cccc'),
  'the content of a file': context(copy, { a: '1' }, { a: '2' }, 'rr'),
  'the content of a file, not its size': context(copy, { a: '12' }, { a: '34' }, 'rr'),
  'the time of a file': context(
    copy, { a: file('1', { mtime: 1 }) }, { a: file('1', { mtime: 2 }) }, 'cc',
  ),
  'the mode of a file': context(
    copy, { a: file('1', { mode: 0o600 }) }, { a: file('1', { mode: 0o755 }) }, 'rr',
  ),
  'the owner of a file': context(
    copy, { a: file('1', { uid: 1 }) }, { a: file('1', { uid: 2, gid: 3 }) }, 'rr',
  ),
  'a file that nobody copies': context(copy, { a: '1', z: '1' }, { a: '1', z: '2' }, 'cc'),
  'a file that is new in a folder': context(
    folder, { 'd/x': 'X' }, { 'd/x': 'X', 'd/y': '' }, 'rr',
  ),
  'a file that is gone from a folder': context(
    folder, { 'd/x': 'X', 'd/y': '' }, { 'd/x': 'X' }, 'rr',
  ),
  'the name of a file in a folder': context(folder, { 'd/x': 'X' }, { 'd/y': 'X' }, 'rr'),
  'the time of a file in a folder': context(
    folder, { 'd/x': file('X', { mtime: 1 }) }, { 'd/x': file('X', { mtime: 2 }) }, 'cc',
  ),
  'where a link in a folder leads': context(
    folder, { 'd/x': 'X', 'd/l': { link: 'x' } }, { 'd/x': 'X', 'd/l': { link: 'y' } }, 'rr',
  ),
  'a link for a file': context(
    folder, { 'd/x': 'X', 'd/l': 'X' }, { 'd/x': 'X', 'd/l': { link: 'x' } }, 'rr',
  ),
  'the mode of a folder': context(
    folder,
    { 'd/': { type: '5', mode: 0o755 }, 'd/x': 'X' },
    { 'd/': { type: '5', mode: 0o700 }, 'd/x': 'X' },
    'cc', 'rr',
  ),
  'an empty folder in a folder': context(
    folder, { 'd/x': 'X' }, { 'd/x': 'X', 'd/e/': { type: '5' } }, 'rr',
  ),
  'a file that no pattern names': context(
    'COPY *.txt /t/\n', { 'a.txt': 'A', b: '1' }, { 'a.txt': 'A', b: '2' }, 'c',
  ),
  'a file that a pattern names too': context(
    'COPY *.txt /t/\n', { 'a.txt': 'A' }, { 'a.txt': 'A', 'b.txt': 'B' }, 'r',
  ),
  'a comment of the Dockerfile': instructions(copy, `# a comment\n${copy}`, 'cc'),
  'the Dockerfile, where all is copied': instructions(
    'COPY . /c\n', '# a comment\nCOPY . /c\n', 'r',
  ),
  '.dockerignore, where all is copied': context(
    'COPY . /c\n', { '.dockerignore': 'x', a: 'A' }, { '.dockerignore': 'y', a: 'A' }, 'r',
  ),
  '.dockerignore, which ignores itself': context(
    'COPY . /c\n',
    { '.dockerignore': 'x\n.dockerignore\nDockerfile', a: 'A' },
    { '.dockerignore': 'y\n.dockerignore\nDockerfile', a: 'A' },
    'c',
  ),
  '.dockerignore, where one file is copied': context(
    copy, { '.dockerignore': 'x', a: 'A' }, { '.dockerignore': 'y', a: 'A' }, 'cc',
  ),
  'another file with the same content': instructions(
    'COPY a /c\n', 'COPY b /c\n', 'r',
  ),
  'another name of the same content': [
    { lines: 'COPY a /c\nRUN true\n', files: { a: 'A', b: 'A' } },
    { lines: 'COPY b /c\nRUN true\n', files: { a: 'A', b: 'A' } },
    'cc', 'rr',
  ],
  'ADD for COPY': instructions('COPY a /c\n', 'ADD a /c\n', 'r'),
  'where it is copied to': instructions('COPY a /c\n', 'COPY a /e\n', 'r'),
  'whose it is': instructions('COPY --chown=1:1 a /c\n', 'COPY --chown=2:2 a /c\n', 'r'),
  'the order of copies': instructions('COPY a /a\nCOPY b /b\n', 'COPY b /b\nCOPY a /a\n', 'rr'),
  'a command': instructions('RUN echo 1\nRUN true\n', 'RUN echo 2\nRUN true\n', 'rr'),
  'a blank in a command': instructions('RUN echo 1\n', 'RUN echo  1\n', 'r'),
  'a line break in a command': instructions('RUN echo 1 2\n', 'RUN echo 1 \\\n2\n', 'c'),
  'the case of an instruction': instructions('RUN echo 1\n', 'run echo 1\n', 'c'),
  'the form of a command': instructions('RUN echo 1\n', 'RUN ["echo", "1"]\n', 'r'),
  'the form of a command, not its words': instructions(
    'RUN echo 1\n', 'RUN ["/bin/sh", "-c", "echo 1"]\n', 'c',
  ),
  'the last line': instructions(`${copy}LABEL a=1\n`, `${copy}LABEL a=2\n`, 'ccr'),
  'a line that is new in the middle': instructions(copy, 'COPY a /a\nENV N=1\nRUN true\n', 'crr'),
  'a line less at the end': instructions(`${copy}ENV A=1\n`, copy, 'cc'),
  'a variable': instructions('ENV A=1\nRUN true\n', 'ENV A=2\nRUN true\n', 'rr'),
  'the form of ENV': instructions('ENV A=1\nRUN true\n', 'ENV A 1\nRUN true\n', 'cc'),
  'ENV and LABEL in another order': instructions(
    'ENV A=1\nLABEL b=1\n', 'LABEL b=1\nENV A=1\n', 'rr',
  ),
  'the order of labels': instructions('LABEL a=1 b=2\n', 'LABEL b=2 a=1\n', 'r'),
  'the order of ports': instructions('EXPOSE 80 81\n', 'EXPOSE 81 80\n', 'c'),
  'the user': instructions('USER user\nRUN true\n', 'USER daemon\nRUN true\n', 'rr'),
  'the working directory': instructions('WORKDIR /x\nRUN true\n', 'WORKDIR /y\nRUN true\n', 'rr'),
  'the command, before a RUN': instructions('CMD ["a"]\nRUN true\n', 'CMD ["b"]\nRUN true\n', 'rr'),
  'the shell': instructions(
    'SHELL ["/bin/sh", "-c"]\nRUN true\n', 'SHELL ["/bin/sh", "-e", "-c"]\nRUN true\n', 'rr',
  ),
  'the health check': instructions(
    'HEALTHCHECK CMD a\nRUN true\n', 'HEALTHCHECK CMD b\nRUN true\n', 'rr',
  ),
  'the name of a stage': instructions(
    `RUN true\nFROM ${baseName} AS x\nCOPY --from=0 /www /w\nRUN true\n`,
    `RUN true\nFROM ${baseName} AS y\nCOPY --from=0 /www /w\nRUN true\n`, 'ccc',
  ),
  'a stage, not what is copied of it': instructions(
    `RUN echo 1 > /one; echo 1 > /two\nFROM ${baseName}\nCOPY --from=0 /one /o\nRUN true\n`,
    `RUN echo 1 > /one; echo 2 > /two\nFROM ${baseName}\nCOPY --from=0 /one /o\nRUN true\n`, 'rcc',
  ),
  'what is copied of a stage': instructions(
    `RUN echo 1 > /one\nFROM ${baseName}\nCOPY --from=0 /one /o\nRUN true\n`,
    `RUN echo 2 > /one\nFROM ${baseName}\nCOPY --from=0 /one /o\nRUN true\n`, 'rrr',
  ),
  'an argument that nobody declares': asked('RUN true\n', args({ X: '1' }), args({ X: '2' }), 'c'),
  'an argument that is declared': asked(
    'ARG X\nRUN true\nCOPY Dockerfile /x\n', args({ X: '1' }), args({ X: '2' }), 'crr',
  ),
  'an argument, for one that is left out': asked('ARG X\nRUN true\n', args({ X: '1' }), {}, 'cr'),
  'an argument that says what its default says': asked(
    'ARG X=1\nRUN true\n', {}, args({ X: '1' }), 'cc',
  ),
  'an argument that is declared later': asked(
    'RUN true\nARG X\nENV Y=1\n', args({ X: '1' }), args({ X: '2' }), 'ccc',
  ),
  'an argument that a variable hides': asked(
    'ARG X\nENV X=0\nRUN true\n', args({ X: '1' }), args({ X: '2' }), 'ccc',
  ),
  'an argument that makes a variable': asked(
    'ARG X\nENV Y=$X\nRUN true\n', args({ X: '1' }), args({ X: '2' }), 'crr',
  ),
  'the default of an argument': instructions('ARG X=1\nRUN true\n', 'ARG X=2\nRUN true\n', 'rr'),
  'a proxy': asked(
    'RUN true\n', args({ HTTP_PROXY: 'http://a:1' }), args({ HTTP_PROXY: 'http://b:1' }), 'c',
  ),
  'a proxy that is declared': asked(
    'ARG HTTP_PROXY\nRUN true\n',
    args({ HTTP_PROXY: 'http://a:1' }), args({ HTTP_PROXY: 'http://b:1' }), 'cr',
  ),
  'a label of the request': asked(
    'RUN true\n', { labels: '{"a":"1"}' }, { labels: '{"a":"2"}' }, 'cr',
  ),
  'the memory that commands get': asked('RUN true\n', {}, { memory: '67108864' }, 'c'),
  'the network of the build': asked('RUN true\n', {}, { networkmode: 'none' }, 'c'),
  'the hosts of the build': asked('RUN true\n', {}, { extrahosts: 'a:1.2.3.4' }, 'c'),
  'the wish for no cache': asked(`RUN true\nENV A=1\n`, {}, { nocache: '1' }, 'rr'),
  'cache from another image alone': asked(
    'RUN true\nENV A=1\n', {}, { cachefrom: JSON.stringify([baseName]) }, 'rr',
  ),
  'cache from an image that is not there': asked(
    'RUN true\nENV A=1\n', {}, { cachefrom: '["none-such"]' }, 'rr',
  ),
  'cache from the first image': asked(
    'RUN true\nENV A=1\n', {}, { cachefrom: `["${baseName}-NUMBER-0"]` }, 'cc',
  ),
};

async function steps(socket: string, pair: number, side: Side, tag: string): Promise<string> {
  const { lines, files = {}, query = {} } = side;
  const Dockerfile = `FROM ${baseName}\nENV PAIR=${pair}\n${lines}`;
  const number = ([name, value]: [string, string]) => [name, value.replace('NUMBER', `${pair}`)];
  const numbered = Object.fromEntries(Object.entries(query).map(number)) as Side['query'];
  const request = { files: { Dockerfile, ...files }, query: { ...numbered, t: tag } };
  const answer = await buildOn(socket, request);
  if (!answer.text.includes('Successfully built')) throw new Error(answer.text);
  const each = answer.text.split(/^Step \d+\/\d+ : /m).slice(3);
  const own = each.filter((step) => !step.startsWith('FROM '));
  return own.map((step) => (step.includes(' ---> Using cache') ? 'c' : 'r')).join('');
}

async function found(socket: string, pair: number, [first, second]: Pair): Promise<string> {
  await steps(socket, pair, first, `${baseName}-${pair}-0`);
  return steps(socket, pair, second, `${baseName}-${pair}-1`);
}

test('what changed decides what is found in the cache', async (t) => {
  const daemon = await startDaemon(t);
  await importOnBoth(t, baseName, daemon.api, reference);
  for (const [pair, [what, sides]] of Object.entries(pairs).entries()) {
    const ours = await found(daemon.socket, pair, sides);
    t.equal(ours, sides[2], what);
    if (reference === undefined) continue;
    const theirs = await found(reference, pair, sides);
    t.equal(theirs, sides[3] ?? sides[2], `${what}: the reference`);
    for (const side of [0, 1]) {
      await engineApi(reference).delete(`/images/${baseName}-${pair}-${side}?force=1`);
    }
  }
  await daemon.stop();
  await daemon.start();
  for (const [pair, [what, [, second]]] of Object.entries(pairs).entries()) {
    const { nocache, cachefrom } = second.query ?? {};
    if (nocache !== undefined || cachefrom !== undefined) continue;
    const again = await steps(daemon.socket, pair, second, `${baseName}-${pair}-1`);
    t.match(again, /^c+$/, `${what}: found after a restart`);
  }
});
