/** The bounds of `docs/builds.md` that are of texts: at them all is read, one more is refused. */
import { test } from 'tap';
import { readOptions, type ClassicQuery } from '../../../daemon/build/classic/options.js';
import { selectSources } from '../../../daemon/build/copy/select.js';
import { parseIgnore } from '../../../daemon/build/dockerfile/ignore.js';
import { parseDockerfile } from '../../../daemon/build/dockerfile/parse.js';
import { memoryTree } from '../../../daemon/build/memory-tree.js';

const times = (count: number, line: string): string => line.repeat(count);
const refused = (message: RegExp) => ({ kind: 'InvalidParameter', message });

test('a Dockerfile has 10 000 instructions at most', async (t) => {
  const whole = parseDockerfile(`FROM a\n${times(9_999, 'USER b\n')}`);
  t.equal(whole.stages[0]?.instructions.length, 9_999);
  t.throws(
    () => parseDockerfile(`FROM a\n${times(10_000, 'USER b\n')}`),
    refused(/more than 10000 instructions/),
  );
});

test('a Dockerfile has 100 000 lines at most, those of here-documents among them', async (t) => {
  const document = (lines: number): string => `FROM a\nRUN <<E\n${times(lines, 'x\n')}E`;
  const [run] = parseDockerfile(document(99_997)).stages[0]?.instructions ?? [];
  t.match(run, { kind: 'RUN', heredocs: [{ name: 'E' }] });
  t.throws(() => parseDockerfile(document(99_998)), refused(/too many lines/));
  t.throws(() => parseDockerfile(`FROM a${times(100_000, '\n#')}`), refused(/too many lines/));
});

test('.dockerignore has 10 000 patterns at most', async (t) => {
  t.ok(parseIgnore(`${times(9_999, 'a\n')}last`).ignores('last'));
  t.throws(() => parseIgnore(`${times(10_000, 'a\n')}last`), refused(/too many patterns/));
});

test('a build has 1000 tags at most', async (t) => {
  const query = (count: number): ClassicQuery => ({
    t: Array.from({ length: count }, (_, at) => `name:${at}`),
    dockerfile: '', remote: '', q: false, nocache: false, cachefrom: '', pull: '', rm: true,
    forcerm: false, buildargs: '', labels: '', networkmode: '', extrahosts: [], target: '',
    platform: '', shmsize: undefined, memory: undefined, memswap: undefined, cpushares: undefined,
    cpuperiod: undefined, cpuquota: undefined, cpusetcpus: '', cpusetmems: '', cgroupparent: '',
    ulimits: '', squash: false, isolation: '', securityopt: '', version: '1', outputs: '',
    buildid: '', vertices: false,
  });
  t.equal(readOptions(query(1000), (text) => text).tags.length, 1000);
  t.throws(() => readOptions(query(1001), (text) => text), refused(/too many tags/));
});

test('a pattern of COPY matches 100 000 files at most', async (t) => {
  const bytes = Buffer.alloc(0);
  const select = (count: number) => {
    const files = new Map(Array.from({ length: count }, (_, at) => [`f${at}`, bytes] as const));
    return selectSources({
      kind: 'COPY', tree: memoryTree(files, { mode: 0o644, mtimeMs: 0 }), source: 'f*',
      excludes: [], parents: false, fromContext: true,
    });
  };
  t.equal((await select(1000)).length, 1000);
  await t.rejects(select(100_001), refused(/too many files match a pattern/));
});
