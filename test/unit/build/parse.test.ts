import { test } from 'tap';
import { parseDockerfile } from '../../../daemon/build/dockerfile/parse.js';

const instructionsOf = (text: string) =>
  parseDockerfile(`FROM base\n${text}`).stages[0]?.instructions ?? [];

test('continued lines are joined; comments and empty lines between them go', async (t) => {
  const { stages, warnings } = parseDockerfile(
    '# syntax=docker/dockerfile:1\n\nfrom base as one\nrun echo \\\n# a comment\n  a \\\n\n  b\n',
  );
  t.equal(stages[0]?.from.stageName, 'one');
  t.match(stages[0]?.instructions, [
    { kind: 'RUN', line: 4, text: 'run echo   a   b', command: { form: 'shell' } },
  ]);
  t.match(warnings[0], 'Empty continuation line found in: run echo');
});

test('another escape character is taken from its directive', async (t) => {
  const { stages, escape } = parseDockerfile('# escape=`\nFROM base\nRUN a `\n b\\\nRUN c\n');
  t.equal(escape, '`');
  t.match(stages[0]?.instructions, [{ text: 'RUN a  b\\' }, { text: 'RUN c' }]);
});

test('directives stand before all else, once each, in any case and with any blanks', async (t) => {
  const escapeOf = (text: string): string => parseDockerfile(`${text}\nFROM base\n`).escape;
  t.equal(escapeOf('# syntax=docker/dockerfile:1\n# check=skip=all;error=true\n# escape=`'), '`');
  t.equal(escapeOf('#ESCAPE  =  `  \r\n#Syntax=x'), '`');
  t.equal(escapeOf('\uFEFF# escape=`'), '`', 'behind a byte order mark');
  t.equal(escapeOf('# a comment\n# escape=`'), '\\', 'behind a comment it is one');
  t.equal(escapeOf('\n# escape=`'), '\\', 'and behind an empty line');
  t.equal(escapeOf('# unknown=x\n# escape=`'), '\\', 'and behind what is no directive');
  for (const name of ['syntax', 'check', 'escape']) {
    const value = name === 'escape' ? '`' : 'x';
    t.throws(() => escapeOf(`# ${name}=${value}\n# ${name}=${value}`), {
      message: `failed to parse Dockerfile: only one ${name} parser directive can be used`,
    });
  }
});

test('here-documents belong to the instruction before them', async (t) => {
  const found = instructionsOf(
    'RUN <<EOF\necho 1\nEOF\nCOPY <<-"A" <<B /x/\n\ttabs\n\tA\n$v\nB\nRUN cat <<< x\n',
  );
  t.match(found, [
    { kind: 'RUN', heredocs: [{ name: 'EOF', content: 'echo 1\n', expand: true }] },
    {
      kind: 'COPY',
      sources: [],
      destination: '/x/',
      heredocs: [
        { name: 'A', content: 'tabs\n', expand: false },
        { name: 'B', content: '$v\n', expand: true },
      ],
    },
    { kind: 'RUN', heredocs: [] },
  ]);
});

test('commands come in two forms', async (t) => {
  t.match(instructionsOf('CMD ["a", "b c"]\nENTRYPOINT a b\nCMD [\'a\']\n'), [
    { command: { form: 'exec', words: ['a', 'b c'] } },
    { command: { form: 'shell', line: 'a b' } },
    { command: { form: 'shell', line: "['a']" } },
  ]);
});

test('flags of COPY, ADD and RUN are read', async (t) => {
  const found = instructionsOf(
    'COPY --from=a --chown=1:2 --chmod=755 --link --parents --exclude=*.o --exclude=x a b /c\n' +
      'ADD --checksum=sha256:1 --keep-git-dir=true a /b\n' +
      'RUN --mount=type=cache,dst=/c,id=x,sharing=locked,mode=0700 --network=none make\n' +
      'RUN --mount=target=/src,rw --mount=type=tmpfs,target=/t,size=1m true\n',
  );
  t.match(found, [
    { from: 'a', chown: '1:2', chmod: '755', link: true, parents: true, excludes: ['*.o', 'x'] },
    { checksum: 'sha256:1', keepGitDir: true },
    {
      network: 'none',
      mounts: [{ type: 'cache', target: '/c', id: 'x', sharing: 'locked', mode: 0o700 }],
    },
    {
      mounts: [
        { type: 'bind', target: '/src', readonly: false },
        { type: 'tmpfs', target: '/t', sizeBytes: 1024 * 1024 },
      ],
    },
  ]);
});

test('health checks, labels and variables', async (t) => {
  const found = instructionsOf(
    'HEALTHCHECK --interval=1m30s --retries=3 CMD true\nHEALTHCHECK NONE\n' +
      'LABEL a=b "c d"=\'e f\'\nENV old value of it\nONBUILD RUN x\n',
  );
  t.match(found, [
    { intervalNs: 90e9, retries: 3, command: { form: 'shell', line: 'true' } },
    { kind: 'HEALTHCHECK' },
    { pairs: [{ name: 'a', value: 'b' }, { name: '"c d"', value: "'e f'" }] },
    { pairs: [{ name: 'old', value: 'value of it' }] },
    { trigger: 'RUN x' },
  ]);
  t.notOk(found[1] !== undefined && 'command' in found[1]);
});

const wrong: readonly (readonly [string, string])[] = [
  ['# only a comment\n', 'failed to parse Dockerfile: file with no instructions'],
  ['RUN true\n', 'no build stage in current context'],
  ['FOO bar\n', 'dockerfile parse error on line 1: unknown instruction: FOO (did you mean FROM?)'],
  [
    'FROM a\n\nRAN x\n',
    'dockerfile parse error on line 3: unknown instruction: RAN (did you mean RUN?)',
  ],
  ['FROM a\nXYZZYABC x\n', 'dockerfile parse error on line 2: unknown instruction: XYZZYABC'],
  ['FROM\n', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
  [
    'FROM a AS 1x\n',
    'dockerfile parse error on line 1: invalid name for build stage: "1x", ' +
      "name can't start with a number or contain symbols",
  ],
  ['FROM --x=y a\n', 'dockerfile parse error on line 1: unknown flag: x'],
  [
    'FROM a\nCOPY a.txt\n',
    'dockerfile parse error on line 2: COPY requires at least two arguments, but only one was ' +
      'provided. Destination could not be determined',
  ],
  [
    'FROM a\nCOPY --frm=1 a b\n',
    'dockerfile parse error on line 2: unknown flag: frm (did you mean from?)',
  ],
  [
    'FROM a\nCOPY --chown a b\n',
    'dockerfile parse error on line 2: missing a value on flag: chown',
  ],
  [
    'FROM a\nCOPY --chown=1 --chown=2 a b\n',
    'dockerfile parse error on line 2: duplicate flag specified: chown',
  ],
  [
    'FROM a\nCOPY --link=x a b\n',
    'dockerfile parse error on line 2: expecting boolean value for flag link, not: x',
  ],
  ['FROM a\nENV\n', 'dockerfile parse error on line 2: ENV requires at least one argument'],
  ['FROM a\nENV A\n', 'failed to parse Dockerfile: ENV must have two arguments'],
  [
    'FROM a\nENV A=b C\n',
    'failed to parse Dockerfile: Syntax error - can\'t find = in "C". Must be of the ' +
      'form: name=value',
  ],
  ['FROM a\nENV =b\n', 'dockerfile parse error on line 2: ENV names can not be blank'],
  ['FROM a\nARG =b\n', 'dockerfile parse error on line 2: ARG names can not be blank'],
  [
    'FROM a\nVOLUME [""]\n',
    'dockerfile parse error on line 2: VOLUME specified can not be an empty string',
  ],
  ['FROM a\nUSER\n', 'dockerfile parse error on line 2: USER requires exactly one argument'],
  [
    'FROM a\nSHELL a\n',
    'dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form',
  ],
  [
    'FROM a\nONBUILD ONBUILD RUN x\n',
    "dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
  ],
  [
    'FROM a\nONBUILD FROM x\n',
    "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger",
  ],
  [
    'FROM a\nHEALTHCHECK FOO\n',
    'dockerfile parse error on line 2: Unknown type "FOO" in HEALTHCHECK (try CMD)',
  ],
  [
    'FROM a\nHEALTHCHECK --interval=x CMD a\n',
    'dockerfile parse error on line 2: time: invalid duration "x"',
  ],
  [
    'FROM a\nHEALTHCHECK --interval=1ns CMD a\n',
    'dockerfile parse error on line 2: Interval "interval" cannot be less than 1ms',
  ],
  ['FROM a\nRUN --network=x a\n', 'dockerfile parse error on line 2: invalid network mode "x"'],
  [
    'FROM a\nRUN --mount=type=x a\n',
    'dockerfile parse error on line 2: unsupported mount type "x"',
  ],
  ['FROM a\nRUN <<EOF\nx\n', 'failed to parse Dockerfile: unterminated heredoc'],
  [
    '# escape=x\nFROM a\n',
    "failed to parse Dockerfile: invalid escape token 'x' does not match ` or \\",
  ],
  [
    '# escape=`\n# escape=`\nFROM a\n',
    'failed to parse Dockerfile: only one escape parser directive can be used',
  ],
];

test('what is wrong is told with its line, in the words of Docker', async (t) => {
  for (const [text, message] of wrong) {
    t.throws(() => parseDockerfile(text), { kind: 'InvalidParameter', message }, text);
  }
});
