/**
 * The same Dockerfiles on tsdockerd and, where REFERENCE_DOCKER_HOST names one, on a reference
 * engine: the same text of the classic builder, the same files and the same config.
 */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { buildOn, filesOf, type BuildOptions, type ContextFile } from '../../support/builds.js';
import { bzip2Bytes, zstdBytes } from '../../support/compressed.js';
import { startDaemon } from '../../support/daemon.js';
import { importOnBoth } from '../../support/demo-image.js';
import { engineApi } from '../../support/engine-api.js';
import { tarOf } from '../../support/tar.js';

const base = 'FROM tsdocker-demo\n';
const archive = tarOf([
  { name: 'd/', type: '5', mode: 0o700, uid: 5, gid: 6 },
  { name: 'd/f', content: 'f', uid: 5, gid: 6 },
]);

const builds: Readonly<Record<string, Omit<BuildOptions, 'files'> & { readonly files: object }>> = {
  'instructions that change the config': {
    files: {
      Dockerfile:
        `${base}MAINTAINER me\nENV A=b C="d e"\nENV old the rest\nLABEL a=1 "b c"='2'\n` +
        'EXPOSE 80 90-92/udp\nVOLUME ["/v", "/w"]\nUSER user:extra\nWORKDIR /w/$A\nWORKDIR sub\n' +
        'STOPSIGNAL SIGINT\nHEALTHCHECK --interval=5s --retries=2 CMD true || exit 1\n' +
        'SHELL ["/bin/ash", "-c"]\nONBUILD RUN echo x\nENTRYPOINT exec top\nCMD ["a", "b"]\n',
    },
  },
  'arguments and their scopes': {
    files: {
      Dockerfile:
        `ARG BASE=tsdocker-demo\nFROM $BASE\nARG BASE\nARG X=1\nARG Y\nRUN echo $X-$Y-$BASE\n` +
        'ENV X=env\nRUN echo $X\nLABEL v=${Y:-none} w=${Z:+set}\n',
    },
    query: { buildargs: JSON.stringify({ Y: '2', Unused: '3' }) },
  },
  'copies of every kind': {
    files: {
      Dockerfile:
        `${base}COPY a /a\nCOPY a b* d/ /many/\nCOPY d /d2\nCOPY d/e/f /renamed\n` +
        'COPY --chown=user:extra d /owned/\nCOPY --chown=12:34 a /numbers\nCOPY l /from-link\n' +
        'WORKDIR /wd\nCOPY a .\nCOPY a sub/\n',
      a: { content: 'A', mode: 0o4755 },
      b1: 'B1',
      b2: { content: 'B2', mode: 0o2640 },
      'd/e/f': 'F',
      'd/.hidden': 'H',
      'd/link': { link: 'e/f' },
      l: { link: 'a' },
    },
  },
  'archives that ADD unpacks, and COPY does not': {
    files: { Dockerfile: `${base}ADD in.tar /t/\nCOPY in.tar /c/\n`, 'in.tar': archive },
  },
  // Without xz: Docker leaves it to a program that its machine may lack, and copies the file then.
  'archives of other compressions': {
    files: {
      Dockerfile: `${base}ADD a /t/\nADD b /u/\nADD c /v/\nADD d /w/\n`,
      a: archive,
      b: gzipSync(archive),
      c: bzip2Bytes(archive),
      d: zstdBytes(archive),
    },
  },
  'what commands change': {
    files: {
      Dockerfile:
        `${base}RUN mkdir /n && echo 1 > /n/one && ln /n/one /n/two && ln -s one /n/l\n` +
        'RUN rm /n/one && chmod 700 /n && chown 1:2 /n/two\n' +
        'RUN rm -r /n && mkdir /n && touch /n/x\n',
    },
  },
  'a set-id file of another stage': {
    files: {
      Dockerfile:
        `${base.trim()} AS one\nRUN touch /s && chmod 6755 /s\n${base}COPY --from=one /s /kept\n` +
        'COPY --from=one --chown=1:2 /s /lost\n',
    },
  },
  'stages that copy from one another': {
    files: {
      Dockerfile:
        `${base.trim()} AS one\nRUN echo 1 > /one\nFROM one AS two\nRUN echo 2 > /two\n` +
        'FROM scratch\nCOPY --from=two /one /two /x/\nCOPY --from=0 /one /y\nCMD ["/x/one"]\n',
    },
  },
  'lines that go on, comments and another escape': {
    files: {
      Dockerfile:
        '# escape=`\n# a comment\nFROM tsdocker-demo\n' +
        'RUN echo a `\n  # inside\n\n  b\nENV p=c:`\\x\n',
    },
  },
  'triggers of a stage, and none of them twice': {
    files: {
      Dockerfile:
        `${base.trim()} AS one\nONBUILD RUN echo $$ > /null; echo onbuild > /told\n` +
        'ONBUILD COPY a /a\nONBUILD ENV T=1\nFROM one AS two\nRUN echo $T > /t\n' +
        'FROM two\nRUN echo $T >> /t\n',
      a: 'A',
    },
  },
  'a shell that ends where a command fails': {
    files: {
      Dockerfile:
        `${base}SHELL ["/bin/sh", "-e", "-c"]\nRUN false; echo not here > /x || true\n`,
    },
  },
  'shells, one after the other': {
    files: {
      Dockerfile:
        `${base}SHELL ["/bin/ash", "-fc"]\nRUN echo *\nCMD echo a\n` +
        'SHELL ["/bin/sh", "-c"]\nENTRYPOINT echo b\nCMD ["x"]\n',
    },
  },
  'health checks, the last one counts': {
    files: {
      Dockerfile:
        `${base}HEALTHCHECK NONE\nHEALTHCHECK --interval=1m30s --timeout=3s --start-period=5s ` +
        '--start-interval=1s --retries=7 CMD ["/bin/true", "x"]\n',
    },
  },
  'a health check and then none': {
    files: { Dockerfile: `${base}HEALTHCHECK CMD true\nHEALTHCHECK NONE\n` },
  },
  'limits that commands see': {
    files: {
      Dockerfile:
        `${base}RUN ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1; ls /sys/class/net; ` +
        'grep -h . /sys/fs/cgroup/memory/memory.limit_in_bytes ' +
        '/sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu/cpu.cfs_*_us ' +
        '/sys/fs/cgroup/cpuset/cpuset.cpus /sys/fs/cgroup/memory.max ' +
        '/sys/fs/cgroup/cpu.weight /sys/fs/cgroup/cpu.max 2>/dev/null || true\n',
    },
    query: {
      memory: '67108864', memswap: '134217728', cpushares: '512', cpuperiod: '50000',
      cpuquota: '25000', cpusetcpus: '0', shmsize: '8388608', networkmode: 'none',
      ulimits: JSON.stringify([{ Name: 'nofile', Soft: 100, Hard: 200 }]),
    },
  },
  'hosts that commands know': {
    files: { Dockerfile: `${base}RUN grep -E 'one|two' /etc/hosts\n` },
    query: { extrahosts: 'one:1.2.3.4' },
  },
  'labels of the client': {
    files: { Dockerfile: `${base}LABEL a=1 b=2\n` },
    query: { labels: JSON.stringify({ b: '3', c: 'with space' }) },
  },
  'a target, and what comes after it': {
    files: {
      Dockerfile:
        `${base.trim()} AS one\nRUN echo 1 > /one\n` +
        'FROM one AS two\nRUN echo 2 > /two\nFROM two\nRUN false\n',
    },
    query: { target: 'two' },
  },
  'ignored files, which the client has sent all the same': {
    files: {
      Dockerfile: `${base}COPY . /c/\n`,
      '.dockerignore': 'ignored\nsub/*.log\n',
      ignored: 'x',
      'sub/a.log': 'l',
    },
  },
  'an ignored Dockerfile, and an ignored list': {
    files: {
      'D/file': `${base}COPY . /c/\n`,
      Dockerfile: 'x',
      '.dockerignore': 'D\n.dockerignore\n',
      kept: 'x',
    },
    query: { dockerfile: 'D/file' },
  },
  'everything ignored': {
    files: { dockerfile: `${base}COPY . /c/\n`, '.dockerignore': '*\n', kept: 'x' },
  },
  'compressed archives that ADD unpacks': {
    files: {
      Dockerfile: `${base}ADD in.tgz no.tgz broken.gz /t/\nADD --chown=7:8 in.tgz /o/\n`,
      'in.tgz': gzipSync(archive),
      'no.tgz': gzipSync(Buffer.from('no archive')),
      'broken.gz': 'no gzip',
    },
  },
  'an archive over what is there': {
    files: {
      Dockerfile: `${base}RUN mkdir -p /t/d && echo old > /t/d/f && echo kept > /t/d/k\n` +
        'ADD in.tar /t/\n',
      'in.tar': archive,
    },
  },
  'linked layers': {
    files: { Dockerfile: `${base}COPY --link a /x/a\nADD --link=true a /y\n`, a: 'A' },
  },
  'folders by way of links': {
    files: {
      Dockerfile:
        `${base}RUN ln -s /etc /w && ln -s ../../../../etc /v\nWORKDIR /w/sub\nVOLUME /v\n` +
        'RUN echo x > y\nCOPY a /v/\nCOPY a .\n',
      a: 'A',
    },
  },
  'exactly the environment that was declared': {
    files: {
      Dockerfile:
        `${base}ARG GIVEN\nARG DEFAULT=d\nARG NOTHING\nENV SAID=s\n` +
        'RUN env | grep -v HOSTNAME | sort\nFROM tsdocker-demo\nCOPY --from=0 /www /w\n' +
        'RUN env | grep -v HOSTNAME | sort\n',
    },
    query: {
      buildargs: JSON.stringify({
        GIVEN: 'g', UNDECLARED: 'u', http_proxy: 'http://p', NOTHING: null,
      }),
    },
  },
  'a command that fails': { files: { Dockerfile: `${base}RUN echo out; exit 3\n` } },
  'a file that is missing': { files: { Dockerfile: `${base}COPY none /\n` } },
  'an instruction that is unknown': { files: { Dockerfile: `${base}FOO bar\n` } },
  'an ENV without a value': { files: { Dockerfile: `${base}ENV x\n` } },
  'no Dockerfile': { files: { other: 'x' } },
  'a target that is missing': { files: { Dockerfile: base }, query: { target: 'none' } },
};

/** Digests and ids by the order in which they are met. */
function numbered(text: string): string {
  const met = new Map<string, number>();
  return text.replace(/\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b/g, (id) => {
    const short = id.slice(0, 12);
    if (!met.has(short)) met.set(short, met.size);
    return `#${met.get(short) ?? 0}`;
  });
}

interface Built {
  readonly status: number;
  readonly text: string;
  readonly errors: readonly string[];
  readonly files: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Other tests have an image of that name, too. */
function over(from: string, { files }: BuildOptions): Readonly<Record<string, ContextFile>> {
  const all = files as Readonly<Record<string, ContextFile>>;
  const renamed = Object.entries(all).map(([name, file]) => [
    name,
    typeof file === 'string' ? file.replaceAll('tsdocker-demo', from) : file,
  ]);
  // Only texts were replaced by texts.
  return Object.fromEntries(renamed) as typeof all;
}

async function built(socket: string, options: BuildOptions, tag: string): Promise<Built> {
  const api = engineApi(socket);
  const query = { ...options.query, t: tag, nocache: '1', forcerm: '1' };
  const files = over(baseName, options);
  const { status, text, lines, imageId } = await buildOn(socket, { ...options, files, query });
  const errors = lines.flatMap(({ error }) => (error === undefined ? [] : numbered(error)));
  const shown = numbered(text.replaceAll(tag, 'TAG'));
  if (imageId === '' || errors.length > 0) {
    return { status, text: shown, errors, files: {}, config: {} };
  }
  try {
    const all = [...(await filesOf(socket, tag))].filter(([path]) => !path.startsWith('bin/'));
    const { Config: config = {} } = (await api.get(`/images/${tag}/json`)).json as {
      Config?: Record<string, unknown>;
    };
    // The state before, by its digest.
    const rest = { ...config, Image: '' };
    return { status, text: shown, errors, files: Object.fromEntries(all), config: rest };
  } finally {
    await api.delete(`/images/${tag}?force=1`);
  }
}

const baseName = `same-${randomBytes(4).toString('hex')}`;
const reference = process.env['REFERENCE_DOCKER_HOST']?.replace(/^unix:\/\//, '');

test('the same Dockerfiles give the same text, files and config', async (t) => {
  const daemon = await startDaemon(t);
  await importOnBoth(t, baseName, daemon.api, reference);
  for (const [what, options] of Object.entries(builds)) {
    await t.test(what, async (t) => {
      const tag = `same-${randomBytes(4).toString('hex')}:1`;
      const ours = await built(daemon.socket, options, tag);
      const isWrong = ours.errors.length > 0 || ours.status !== 200;
      t.equal(isWrong, /fails|missing|unknown|without|^no /.test(what), 'it fails, or not');
      if (reference === undefined) return;
      t.same(ours, await built(reference, options, tag), 'as on the reference');
    });
  }
});
