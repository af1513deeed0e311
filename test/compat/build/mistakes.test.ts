/**
 * What is wrong with a Dockerfile, in Docker's words and with its status: the same table on
 * tsdockerd and, where REFERENCE_DOCKER_HOST names one, on a reference engine.
 */
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { buildOn, type BuildOptions } from '../../support/builds.js';
import { startDaemon } from '../../support/daemon.js';
import { importOnBoth } from '../../support/demo-image.js';

const baseName = `mistakes-${randomBytes(4).toString('hex')}`;
const reference = process.env['REFERENCE_DOCKER_HOST']?.replace(/^unix:\/\//, '');

/** After a first line `FROM`; each with what its message has to say. */
const mistakes: Readonly<Record<string, RegExp>> = {
  'FOO bar': /line 2: unknown instruction: FOO/,
  'RUN --bogus x': /line 2: unknown flag: bogus/,
  '\n\nHEALTHCHECK --interval=x CMD true': /line 4: time: invalid duration "x"/,
  'HEALTHCHECK BOGUS true': /line 2: Unknown type "BOGUS" in HEALTHCHECK/,
  HEALTHCHECK: /line 2: HEALTHCHECK requires at least one argument/,
  'HEALTHCHECK NONE x': /line 2: HEALTHCHECK NONE takes no arguments/,
  'HEALTHCHECK --retries=-1 CMD true': /line 2: --retries cannot be negative/,
  'HEALTHCHECK CMD': /line 2: Missing command after HEALTHCHECK CMD/,
  'ENV x': /ENV must have two arguments/,
  'ENV =x': /line 2: ENV names can not be blank/,
  'LABEL =x': /line 2: LABEL names can not be blank/,
  'ENV a=b c': /Syntax error - can't find = in "c"/,
  ENV: /line 2: ENV requires at least one argument/,
  'COPY a': /line 2: COPY requires at least two arguments/,
  COPY: /line 2: COPY requires at least two arguments/,
  'ADD a': /line 2: ADD requires at least two arguments/,
  'COPY --from': /line 2: COPY requires at least two arguments/,
  'COPY --chown=a --chown=b a b': /line 2: duplicate flag specified: chown/,
  'COPY --link=maybe a b': /line 2: expecting boolean value for flag link, not: maybe/,
  'EXPOSE abc': /Invalid containerPort: abc/,
  'EXPOSE 70000': /invalid/i,
  'EXPOSE 80/foo': /invalid proto: foo/i,
  'VOLUME [""]': /line 2: VOLUME specified can not be an empty string|VOLUME specified/,
  'SHELL /bin/sh -c': /line 2: SHELL requires the arguments to be in JSON form/,
  'SHELL []': /line 2: SHELL requires at least one argument/,
  'STOPSIGNAL NONSENSE': /invalid signal: NONSENSE/,
  'STOPSIGNAL A B': /invalid signal: A B/,
  'WORKDIR': /line 2: WORKDIR requires exactly one argument/,
  'USER': /line 2: USER requires exactly one argument/,
  'ONBUILD ONBUILD RUN x': /line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed/,
  'ONBUILD FROM x': /line 2: FROM isn't allowed as an ONBUILD trigger/,
  'ONBUILD MAINTAINER x': /line 2: MAINTAINER isn't allowed as an ONBUILD trigger/,
  'ONBUILD': /line 2: ONBUILD requires at least one argument/,
  'ARG': /line 2: ARG requires at least one argument/,
  'RUN': /returned a non-zero code: 2/,
  'FROM a b': /line 2: FROM requires either one or three arguments/,
  'FROM x AS 1a': /line 2: invalid name for build stage: "1a"/,
  'FROM x AS scratch/y': /line 2: invalid name for build stage/,
  'COPY --from=5 a b': /invalid from flag value 5/,
  'COPY --from=0 a b': /invalid from flag value 0: refers to current build stage/,
  'COPY ../a /': /forbidden path outside the build context/,
  'COPY none* /': /no source files were specified/,
  'COPY none /': /COPY failed: file not found in build context/,
  'ADD none /': /ADD failed: file not found in build context/,
  'COPY a b /many': /When using COPY with more than one source file/,
  'COPY --chown=nobody-such a /': /unable to convert uid\/gid chown string to host mapping/,
  'COPY --chown=a:b:c a /': /invalid chown string format: a:b:c/,
  'COPY [a /': /no source files were specified/,
  'RUN ["unterminated': /returned a non-zero code: 2/,
  'ENV x=${y:?needed}': /needed/,
  'ENV x=${y': /failed to process "\$\{y"/,
  'LABEL a=${b:x}': /unsupported modifier/,
  'RUN <<EOF\nno end': /unterminated heredoc/,
};

/** Whole Dockerfiles. */
const files: Readonly<Record<string, RegExp>> = {
  'RUN true\n': /no build stage in current context/i,
  '# only a comment\n': /file with no instructions/i,
  'FROM ${nothing}\n': /base name \(\$\{nothing\}\) should not be blank/,
  'FROM --platform=bogus/x scratch\n': /operating system is not supported/,
  'FROM scratch\n': /No image was generated/,
  '# escape=x\nFROM scratch\n': /invalid escape token 'x'/,
};

interface Said {
  readonly status: number;
  readonly text: string;
}

async function said(socket: string, { query = {}, ...options }: BuildOptions): Promise<Said> {
  const { status, lines, text } = await buildOn(socket, {
    ...options,
    query: { nocache: '1', forcerm: '1', ...query },
  });
  const last = lines.at(-1);
  return { status, text: (last?.error ?? text).replaceAll(/[0-9a-f]{64}/g, 'ID') };
}

test('what is wrong is said as Docker says it, with the line', async (t) => {
  const daemon = await startDaemon(t);
  await importOnBoth(t, baseName, daemon.api, reference);
  const all = [
    ...Object.entries(mistakes).map(([text, why]) => [`FROM ${baseName}\n${text}\n`, why] as const),
    ...Object.entries(files),
  ];
  for (const [Dockerfile, why] of all) {
    const options = { files: { Dockerfile, a: 'a', b: 'b' } };
    const ours = await said(daemon.socket, options);
    t.match(ours.text, why, JSON.stringify(Dockerfile));
    if (reference === undefined) continue;
    const theirs = await said(reference, options);
    t.same(ours, theirs, `as on the reference: ${JSON.stringify(Dockerfile)}`);
  }
});
