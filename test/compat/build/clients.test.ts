/** Builds by Docker's own client without buildx, and by compose without BuildKit. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onBothEngines, type Engine, type Test } from '../../support/compat.js';
import { composeMissing, composeOf } from '../../support/compose.js';
import { docker, dockerProgram } from '../../support/docker-cli.js';
import { tarOf } from '../../support/tar.js';

const environment = { DOCKER_BUILDKIT: '0' };
const noDocker = dockerProgram() === undefined && 'there is no docker client: .ci/setup tests';

const build = (engine: Engine, args: readonly string[], input?: string | Buffer) =>
  docker(engine.host, ['build', ...args], {
    environment,
    ...(input === undefined ? {} : { input }),
  });

const run = (engine: Engine, image: string, ...command: readonly string[]) =>
  engine.docker('run', '--rm', '--network', 'none', image, ...command);

function folder(t: Test, engine: Engine): string {
  return t.testdir({
    Dockerfile: `FROM ${engine.image}\nARG WHO=nobody\nCOPY . /c/\nRUN echo for $WHO > /who\n`,
    other:
      `FROM ${engine.image} AS first\nRUN echo 1 > /n\n` +
      'FROM first AS second\nRUN echo 2 > /n\n',
    kept: 'k',
    ignored: 'i',
    '.dockerignore': 'ignored\n',
  });
}

onBothEngines('docker', noDocker, async (_t, engine) => {
  const tag = (name: string): string => `${engine.tag}-${name}`;
  await engine.check('a folder, with arguments, labels and what is ignored', async (t) => {
    const flags = ['-t', tag('a'), '--build-arg', 'WHO=me', '--label', 'x=y', '--no-cache'];
    const built = await build(engine, [...flags, folder(t, engine)]);
    t.equal(built.code, 0, built.stderr);
    t.match(built.stdout, /Successfully built \w{12}\nSuccessfully tagged /);
    const shown = await run(engine, tag('a'), 'sh', '-c', 'cat /who; ls -A /c');
    t.equal(shown.stdout, 'for me\n.dockerignore\nDockerfile\nkept\nother\n');
    const inspected = await engine.docker('inspect', '-f', '{{json .Config.Labels}}', tag('a'));
    t.equal(inspected.stdout, '{"x":"y"}\n');
  });
  await engine.check('another file, a target, an id in a file', async (t) => {
    const context = folder(t, engine);
    const iidfile = join(context, 'iid');
    const flags = ['-q', '-f', join(context, 'other'), '--target', 'first', '--iidfile', iidfile];
    const built = await build(engine, [...flags, '-t', tag('b'), context]);
    t.match(built, { code: 0, stdout: /^sha256:\w{64}\n$/ });
    t.equal((await run(engine, tag('b'), 'cat', '/n')).stdout, '1\n');
  });
  await engine.check('a Dockerfile, or an archive, on standard input', async (t) => {
    const text = `FROM ${engine.image}\nRUN echo piped > /p\n`;
    t.equal((await build(engine, ['-t', tag('c'), '-'], text)).code, 0);
    t.equal((await run(engine, tag('c'), 'cat', '/p')).stdout, 'piped\n');
    const archive = tarOf([
      { name: 'D', content: `FROM ${engine.image}\nCOPY f /f\n` },
      { name: 'f', content: 'F' },
    ]);
    t.equal((await build(engine, ['-t', tag('d'), '-f', 'D', '-'], archive)).code, 0);
    t.equal((await run(engine, tag('d'), 'cat', '/f')).stdout, 'F');
    const copying = `FROM ${engine.image}\nCOPY . /c/\n`;
    const flags = ['-t', tag('e'), '-f', '-', folder(t, engine)];
    const foreign = await build(engine, flags, copying);
    t.equal(foreign.code, 0, foreign.stderr);
    const { stdout } = await run(engine, tag('e'), 'ls', '-A', '/c');
    t.equal(stdout, '.dockerignore\nDockerfile\nkept\nother\n', 'no more');
  });
  await engine.check('a command that fails, and a mistake', async (t) => {
    const failing = await build(engine, ['--force-rm', '-'], `FROM ${engine.image}\nRUN exit 7\n`);
    t.equal(failing.code, 7);
    t.match(failing.stderr, "The command '/bin/sh -c exit 7' returned a non-zero code: 7");
    const wrong = await build(engine, ['-'], `FROM ${engine.image}\nNOPE\n`);
    t.equal(wrong.code, 1);
    t.match(wrong.stderr, /dockerfile parse error on line 2: unknown instruction: NOPE/);
  });
});

onBothEngines('docker compose', composeMissing([]), async (_t, engine) => {
  await engine.check('compose builds what it is to run, and what it needs first', async (t) => {
    const project = folder(t, engine);
    writeFileSync(
      join(project, 'compose.yaml'),
      `services:\n  one:\n    image: ${engine.tag}-one\n    build:\n      context: .\n` +
        '      args:\n        WHO: compose\n    command: cat /who\n    network_mode: none\n' +
        `  two:\n    image: ${engine.tag}-two\n    network_mode: none\n    command: cat /n\n` +
        '    build:\n      context: .\n      dockerfile: other\n      target: second\n',
    );
    const compose = composeOf(t, engine, join(project, 'compose.yaml'));
    const built = await compose.run(['build', '--no-cache'], { environment });
    t.equal(built.code, 0, built.stderr);
    const up = await compose.run(['up', '--build', '--no-color'], { environment });
    t.equal(up.code, 0, up.stderr);
    t.match(up.stdout, /one-1\s+\| for compose/);
    t.match(up.stdout, /two-1\s+\| 2/);
    t.equal((await compose.run(['down', '--rmi', 'local'])).code, 0);
  });
});
