/** Dockerfiles with anything in any place are read or refused, in words, and in no time. */
import { test } from 'tap';
import { ApiError } from '../../../api-spec/errors.js';
import { parseIgnore } from '../../../daemon/build/dockerfile/ignore.js';
import { parseDockerfile } from '../../../daemon/build/dockerfile/parse.js';
import { planBuild } from '../../../daemon/build/plan.js';

const dockerfile =
  '# syntax=docker/dockerfile:1\n# escape=\\\nARG V=1\n' +
  'FROM --platform=$BUILDPLATFORM base:$V AS one\n' +
  'ARG X="a b" Y\nENV A=$X B=${Y:-c} C=${A%%b*}\nSHELL ["/bin/sh", "-c"]\n' +
  'RUN --mount=type=cache,target=/c,id=$A,mode=0755 --network=none a \\\n  # b\n  && c\n' +
  "COPY --from=0 --chown=1:2 --chmod=u+x,go-w --exclude=*.o ['a', \"b c\"] /d/\n" +
  'COPY <<-"EOF" <<E2 /e/\n\tx $y\n\tEOF\nz\nE2\nADD --checksum=sha256:0 http://h/x.git#r:s /g\n' +
  'HEALTHCHECK --interval=1m30s --retries=2 CMD ["x"]\nHEALTHCHECK NONE\n' +
  'LABEL "a b"=c\\ d e=\'f\'\nEXPOSE 80/tcp 90-92\nVOLUME ["/v"]\nUSER 1:2\nWORKDIR $X/w\n' +
  'STOPSIGNAL SIGINT\nONBUILD RUN x\nENTRYPOINT ["a"]\nCMD a b\nFROM one\nMAINTAINER me\n';

const strange = [
  '', '\0', '\n', '\\', '\\\n', '`', '"', "'", '$', '${', '${a', '}', '<<', '<<E\n', '=', ',',
  '[', '{', '--', '#', '\r\n', '\uFEFF', '\u2028', '\ud800', '🐳', '../', '%', '*'.repeat(40),
  '$'.repeat(300),
  '(a+)+'.repeat(20), '-1', '9'.repeat(400), ' FROM ', ' \\ \n \\ \n',
];

/** Each place holds something else: put in, or instead of a few characters. */
function* mutations(text: string): Generator<string> {
  let nth = 0;
  for (let at = 0; at <= text.length; at += 1) {
    for (const instead of [0, 1, 7]) {
      const word = strange[nth++ % strange.length] ?? '';
      yield text.slice(0, at) + word + text.slice(at + instead);
    }
  }
}

/** Reads and plans it, as a build would before anything runs. */
function read(text: string): void {
  planBuild({
    dockerfile: parseDockerfile(text), given: { X: '$Y${' }, labels: { l: 'v' }, target: '',
    predefined: new Map([['BUILDPLATFORM', 'linux/amd64']]),
  });
}

const maxMs = 60_000;

test('a Dockerfile with anything in any place', async (t) => {
  const fates = { read: 0, refused: 0 };
  const startedMs = Date.now();
  for (const text of mutations(dockerfile)) {
    try {
      read(text);
      fates.read += 1;
    } catch (error) {
      const isTold = error instanceof ApiError && error.kind === 'InvalidParameter';
      if (!isTold) t.fail(`${String(error)}: ${JSON.stringify(text)}`);
      fates.refused += 1;
    }
  }
  t.ok(fates.read > 100 && fates.refused > 100, JSON.stringify(fates));
  t.ok(Date.now() - startedMs < maxMs);
});

test('a .dockerignore with anything in any place', async (t) => {
  const ignore = '# a\n*.o\n!keep.o\n**/x/[a-z]?\\*\n/abs/./y/../z/\n\n  blank  \n';
  const path = `${'a/'.repeat(30)}x/b`;
  const startedMs = Date.now();
  for (const text of mutations(ignore)) {
    try {
      const rules = parseIgnore(text);
      rules.ignores(path);
      rules.bringsBack('x');
    } catch (error) {
      const isTold = error instanceof ApiError && error.kind === 'InvalidParameter';
      if (!isTold) t.fail(`${String(error)}: ${JSON.stringify(text)}`);
    }
  }
  t.ok(Date.now() - startedMs < maxMs);
});
