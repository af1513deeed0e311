/** Transfers of images as `tsdocker` shows them: a bar for each layer on a terminal, else lines. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { buildImage } from '../support/image-builder.js';
import { pty, screenOf } from '../support/pty.js';
import { basicUser, makeCertificate, pushImage, startRegistry } from '../support/registry.js';
import { tarOf } from '../support/tar.js';
import { startTokenServer } from '../support/token-server.js';

const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));
const skip = process.geteuid?.() === 0 ? false : 'daemons need root';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Desk {
  readonly folder: string;
  /** `tsdocker WORDS`, without a terminal. */
  readonly run: (words: string, input?: string) => Promise<Outcome>;
  /** With one. */
  readonly onTerminal: (words: string) => Promise<Outcome>;
}

async function desk(t: Test): Promise<Desk> {
  const folder = await mkdtemp(join(tmpdir(), 'tsdocker-progress-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const { socket } = await startDaemon(t);
  const env = { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: folder };
  const command = (argv: readonly string[], input = ''): Promise<Outcome> =>
    new Promise((resolve) => {
      const [first = '', ...rest] = argv;
      const options = { env, timeout: 60_000 };
      const child = execFile(first, rest, options, (problem, stdout, stderr) =>
        resolve({ code: problem === null ? 0 : Number(problem.code), stdout, stderr }),
      );
      child.stdin?.end(input);
    });
  const own = (words: string): readonly string[] => [
    process.execPath,
    program,
    ...words.split(' '),
  ];
  return {
    folder,
    run: (words, input) => command(own(words), input),
    onTerminal: (words) => command([...pty, ...own(words)]),
  };
}

const image = buildImage(
  ['one', 'two', 'three'].map((name) => tarOf([{ name, content: randomBytes(6 * 2 ** 20) }])),
);
const bar = /[\da-f]{12}: [\w ]+ \[=*>? *\] +[\d.]+[kM]?B\/[\d.]+[kM]B/;
const escape = '\x1b';

test('each layer has a row with a bar on a terminal, and lines elsewhere', { skip }, async (t) => {
  const { run, onTerminal, folder } = await desk(t);
  const registry = await startRegistry({ directory: folder });
  t.teardown(() => registry.stop());
  await pushImage(registry.host, 'team/app', { ...image, tag: '1' });
  const name = `${registry.host}/team/app`;
  const rows = (state: string): RegExp => new RegExp(`^[\\da-f]{12}: ${state}$`);

  await t.test('a pull', async (t) => {
    const { code, stdout } = await onTerminal(`pull ${name}:1`);
    t.equal(code, 0);
    t.match(stdout, bar);
    const pulled = rows('Pull complete');
    const last = [pulled, pulled, pulled, /^Digest: sha256:/, /^Status: Downloaded newer image/];
    t.match(screenOf(stdout), ['1: Pulling from team/app', ...last, `${name}:1`]);
    await run(`rmi ${name}:1`);
    const plain = (await run(`pull ${name}:1`)).stdout;
    t.notMatch(plain, escape);
    t.notMatch(plain, bar);
    t.equal(plain.match(/: Pull complete$/gm)?.length, 3);
  });
  await t.test('a load, from an archive that a terminal does not get', async (t) => {
    const refused = await onTerminal(`save ${name}:1`);
    t.not(refused.code, 0);
    t.match(refused.stdout, /refusing to save to a terminal/);
    t.same(await run(`save -o ${folder}/app.tar ${name}:1`), { code: 0, stdout: '', stderr: '' });
    await run(`rmi ${name}:1`);
    const { stdout } = await onTerminal(`load -i ${folder}/app.tar`);
    t.match(stdout, bar);
    t.match(screenOf(stdout).at(-1), `Loaded image: ${name}:1`);
    t.equal((await run(`load -i ${folder}/app.tar`)).stdout, `Loaded image: ${name}:1\n`);
  });
  await t.test('a push', async (t) => {
    await run(`tag ${name}:1 ${registry.host}/other:1`);
    await run(`rmi ${name}:1`);
    const { stdout } = await onTerminal(`push ${registry.host}/other:1`);
    const pushed = /^[\da-f]{12}: (Pushed|Mounted from team\/app)$/;
    const [first, ...rest] = screenOf(stdout);
    t.equal(first, `The push refers to repository [${registry.host}/other]`);
    t.match(rest, [pushed, pushed, pushed, /^1: digest: sha256:[\da-f]{64} size: \d+$/]);
    const plain = (await run(`push ${registry.host}/other:1`)).stdout;
    t.notMatch(plain, escape);
    t.equal(plain.match(/: Layer already exists$/gm)?.length, 3);
  });
});

test('a login keeps the identity token, and no password', { skip }, async (t) => {
  const { run, folder } = await desk(t);
  const files = await makeCertificate(folder);
  const tokens = await startTokenServer(files);
  t.teardown(() => tokens.stop());
  const { realm, service, issuer } = tokens;
  const tokenAuth = { realm, service, issuer, certificatePath: files.certificate };
  const registry = await startRegistry({ directory: folder, tokenAuth });
  t.teardown(() => registry.stop());
  const { username, password } = basicUser;
  const login = await run(`login -u ${username} --password-stdin ${registry.host}`, password);
  t.equal(login.code, 0, login.stderr);
  const text = await readFile(join(folder, 'config.json'), 'utf8');
  t.match(JSON.parse(text), { auths: { [registry.host]: { identitytoken: 'a-lasting-token' } } });
  t.notMatch(Buffer.from(text).toString(), /secret|c2VjcmV0/);
  tokens.seen.length = 0;
  const { stderr } = await run(`pull ${registry.host}/none:1`);
  t.match(stderr, /manifest unknown|not found/);
  t.match(tokens.seen.at(-1)?.body, /grant_type=refresh_token&refresh_token=a-lasting-token/);
});
