/** `RUN --mount=type=secret|ssh`: what is granted is there for its step, and for nothing else. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { test } from 'tap';
import { agentClient, startAgent } from '../support/agent.js';
import { buildOn, filesOf, type BuildAnswer } from '../support/builds.js';
import { until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));
const base = 'FROM tsdocker-demo\n';
const errorOf = ({ text, lines }: BuildAnswer): string => lines.at(-1)?.error ?? text;

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

/** A build through the API, with what it is granted. */
function build(
  { socket }: TestDaemon,
  lines: string,
  grants: object | undefined,
  query = {},
): Promise<BuildAnswer> {
  const text = Buffer.from(JSON.stringify(grants ?? {})).toString('base64url');
  const headers = grants === undefined ? {} : { 'X-Build-Grants': text };
  return buildOn(socket, { files: { Dockerfile: `${base}${lines}` }, query, headers });
}

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');

/** No file below has these bytes; grep is quicker than we are. */
async function nowhere(t: Test, folder: string, bytes: string, when: string): Promise<void> {
  const found = await new Promise<string>((resolve) => {
    execFile('grep', ['-rlaF', '--', bytes, folder], (error, stdout) => {
      // Files that go meanwhile are its only failures.
      resolve(stdout);
      if (error === null) t.comment(stdout);
    });
  });
  t.equal(found, '', `${when}: no file of ${folder} has it`);
}

async function nothingLeft(t: Test, { api, dataRoot, execRoot }: TestDaemon): Promise<void> {
  t.same(readdirSync(join(dataRoot, 'build', 'builds')), []);
  const held = (): number => readdirSync(join(execRoot, 'g')).length;
  await until('secrets are gone', () => Promise.resolve(held() === 0));
  t.same((await api.get('/containers/json?all=1')).json, []);
}

test('a secret is a file of one step, and nothing of it stays', async (t) => {
  const daemon = await world(t);
  const value = `open-sesame-${process.pid}-file`;
  const lines =
    'RUN --mount=type=secret,id=a stat -c "%n %a %u:%g" /run/secrets/a && cat /run/secrets/a\n' +
    'RUN --mount=type=secret,id=a,target=/deep/er/x,mode=0440,uid=7,gid=8 ' +
    'stat -c "%n %a %u:%g" /deep/er/x && wc -c < /deep/er/x\n' +
    'RUN --mount=type=secret,id=a echo x > /run/secrets/a || echo it is read-only\n' +
    'WORKDIR /w\nRUN --mount=type=secret,target=rel/a cat rel/a > /dev/null && echo by its name\n' +
    'RUN ls /run/secrets /deep 2>&1; echo end\n';
  const grants = { Secrets: { a: base64(value) } };
  const answer = await build(daemon, lines, grants, { t: 'secret' });
  t.match(answer.text, `/run/secrets/a 400 0:0\n${value}`);
  t.match(answer.text, `/deep/er/x 440 7:8\n${value.length}\n`);
  t.match(answer.text, 'it is read-only\n');
  t.match(answer.text, 'by its name\n');
  t.match(answer.text, 'Successfully built', errorOf(answer));
  const files = await filesOf(daemon.socket, 'secret');
  const kept = [...files.keys()].filter((path) => /^(run|deep|w\/rel)(\/|$)/.test(path));
  t.same(kept, [], 'mount points are no part of the image');
  await nothingLeft(t, daemon);
  await nowhere(t, daemon.dataRoot, value, 'after it');
  const other = { Secrets: { a: base64('another') } };
  const again = await build(daemon, lines, other, { t: 'secret' });
  t.equal(again.text.split('Using cache').length - 1, 6, 'its content is no part of a key');
});

test('a secret of any bytes arrives as it is', async (t) => {
  const daemon = await world(t);
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256));
  const grants = { Secrets: { '../../odd id': base64(bytes) } };
  const line = 'RUN --mount="type=secret,id=../../odd id,target=/s" sha256sum < /s\n';
  const sum = createHash('sha256').update(bytes).digest('hex');
  const answer = await build(daemon, line, grants);
  t.match(answer.text, `${sum}  -\n`, errorOf(answer));
  await nothingLeft(t, daemon);
});

test('a secret may be a variable, which neither record nor disk has', async (t) => {
  const daemon = await world(t);
  const value = `open-sesame-${process.pid}-env`;
  const grants = { Secrets: { a: base64(value) } };
  const lines =
    'ENV OWN=kept TOKEN=default\n' +
    'RUN --mount=type=secret,id=a,env=TOKEN test ! -e /run/secrets/a; touch /marked; ' +
    'until test -e /go; do usleep 50000; done; echo $TOKEN $OWN\n' +
    'RUN --mount=type=secret,id=a,env=TOKEN,target=/both cat /both; echo; env | grep ^TOKEN\n' +
    'RUN echo then $TOKEN\n';
  const building = build(daemon, lines, grants, { t: 'env' });
  const running = async (): Promise<string> => {
    const all = (await daemon.api.get('/containers/json')).json as { Id: string }[];
    return all[0]?.Id ?? '';
  };
  await until('it runs', async () => {
    const id = await running();
    return (await daemon.api.get(`/containers/${id}/archive?path=/marked`)).status === 200;
  });
  const id = await running();
  t.notMatch(JSON.stringify((await daemon.api.get(`/containers/${id}/json`)).json), value);
  await nowhere(t, daemon.dataRoot, value, 'while it runs');
  const exec = await daemon.api.post(`/containers/${id}/exec`, { Cmd: ['touch', '/go'] });
  await daemon.api.post(`/exec/${String(exec.json.Id)}/start`, { Detach: true });
  const answer = await building;
  t.match(answer.text, `${value} kept\n`);
  t.match(answer.text, `${value}\nTOKEN=${value}\n`, 'both, if both are asked for');
  t.match(answer.text, 'then default\n', 'the next step has its own');
  t.match(answer.text, 'Successfully built', errorOf(answer));
  const inspected = (await daemon.api.get('/images/env/json')).text;
  const history = (await daemon.api.get('/images/env/history')).text;
  t.notMatch(inspected + history, value);
  await nothingLeft(t, daemon);
  await nowhere(t, daemon.dataRoot, value, 'after it');
});

test('what is not granted is absent, or ends the build if it is required', async (t) => {
  const daemon = await world(t);
  const grants = { Secrets: { other: base64('x') } };
  const refused = async (line: string, why: RegExp): Promise<void> => {
    t.match(errorOf(await build(daemon, `RUN ${line} true\n`, grants)), why, line);
    await nothingLeft(t, daemon);
  };
  const without = await build(
    daemon,
    'RUN --mount=type=secret,id=a --mount=type=ssh ls /run/secrets /run/buildkit 2>&1; env\n',
    grants,
  );
  t.match(without.text, 'Successfully built', errorOf(without));
  t.match(without.text, /run\/secrets: No such file/);
  t.notMatch(without.text, /SSH_AUTH_SOCK/);
  await refused('--mount=type=secret,id=a,required=true', /secret a: not found/);
  await refused('--mount=type=secret,id=a,required', /secret a: not found/);
  await refused('--mount=type=secret,id=__proto__,required', /secret __proto__: not found/);
  await refused('--mount=type=secret', /one of source, target required/);
  await refused('--mount=type=ssh,required=true', /unset ssh forward key default/);
  await refused('--mount=type=ssh,id=b,required=true', /unset ssh forward key b/);
  const nul = { Secrets: { a: base64('a\0b') } };
  const variable = 'RUN --mount=type=secret,id=a,env=A true\n';
  t.match(errorOf(await build(daemon, variable, nul)), /secret a: a variable cannot hold NUL/);
  const relative = await build(daemon, 'RUN true\n', { SSH: { default: 'socket' } });
  t.match(relative, { status: 400, text: /ssh agent socket: not absolute/ });
  await nothingLeft(t, daemon);
});

test('a step that failed is kept without what it was granted', async (t) => {
  const daemon = await world(t);
  const value = `open-sesame-${process.pid}-failed`;
  const grants = { Secrets: { a: base64(value) } };
  const lines = 'RUN --mount=type=secret,id=a,env=A,target=/s test "$A" = "$(cat /s)" && exit 9\n';
  const answer = await build(daemon, lines, grants);
  t.match(errorOf(answer), /returned a non-zero code: 9/);
  const [kept] = (await daemon.api.get('/containers/json?all=1')).json as { Id: string }[];
  t.ok(kept, 'as with any step');
  t.notMatch((await daemon.api.get(`/containers/${kept?.Id ?? ''}/json`)).text, value);
  await nowhere(t, daemon.dataRoot, value, 'it stays');
  await daemon.api.delete(`/containers/${kept?.Id ?? ''}`);
  await nothingLeft(t, daemon);
});

test('an agent answers its step, through a socket of its owner', async (t) => {
  const daemon = await world(t);
  const [first, second] = [
    await startAgent(t, 'KEY-ONE', 'one@test'), await startAgent(t, 'KEY-TWO', 'two@test'),
  ];
  const ask = { mode: 0o755, content: agentClient() };
  const Dockerfile =
    `${base}COPY ask /bin/\n` +
    'RUN --mount=type=ssh stat -c "%a %u:%g" $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK && ask\n' +
    'RUN --mount=type=ssh --mount=type=ssh,id=two ask && ask /run/buildkit/ssh_agent.1\n' +
    'RUN --mount=type=ssh,id=two,target=/t/agent,mode=0666,uid=7,gid=8 ' +
    'stat -c "%a %u:%g" /t/agent && ask\n' +
    'USER user\nRUN --mount=type=ssh ask || echo not for all\n' +
    'RUN --mount=type=ssh,uid=1000 ask\nRUN ask || ls /run /t 2>&1; echo end\n';
  const SSH = { default: first.path, two: second.path };
  const answer = await buildOn(daemon.socket, {
    files: { Dockerfile, ask },
    headers: { 'X-Build-Grants': base64(JSON.stringify({ SSH })) },
    query: { t: 'ssh' },
  });
  const { text } = answer;
  t.match(text, /600 0:0\n\/run\/buildkit\/ssh_agent\.0\n[^\n]*KEY-ONE[^\n]*one@test\n/);
  t.match(text, /KEY-ONE[^\n]*\n[^\n]*KEY-TWO[^\n]*\n[\s\S]*666 7:8\n[^\n]*KEY-TWO/);
  t.match(text, 'not for all\n');
  t.match(text, /no agent\n/, 'the next step has none');
  t.match(text, 'Successfully built', errorOf(answer));
  t.equal(first.asked() + second.asked(), 5);
  const files = [...(await filesOf(daemon.socket, 'ssh')).keys()];
  t.same(files.filter((path) => /^(run|t)(\/|$)/.test(path)), []);
  await nothingLeft(t, daemon);
});

test('a build that ends early, or a daemon that does, takes its grants along', async (t) => {
  const daemon = await world(t);
  const { path } = await startAgent(t, 'KEY', 'key');
  const lines =
    'RUN --mount=type=secret,id=a --mount=type=ssh touch /begun; sleep 1000\n';
  const grants = { Secrets: { a: base64('x') }, SSH: { default: path } };
  const held = (): number => readdirSync(join(daemon.execRoot, 'g')).length;
  const running = build(daemon, lines, grants, { buildid: 'mine' });
  await until('it has both', () => Promise.resolve(held() === 2));
  t.equal((await daemon.api.post('/build/cancel?id=mine')).status, 200);
  await running;
  await nothingLeft(t, daemon);
  const killed = build(daemon, lines, grants);
  killed.catch(() => undefined);
  await until('it has both', () => Promise.resolve(held() === 2));
  await daemon.kill9();
  await t.rejects(killed);
  await daemon.start();
  await nothingLeft(t, daemon);
  t.ok(existsSync(path), 'the agent itself is nobody’s to remove');
});

test('tsdocker build --secret and --ssh', async (t) => {
  const daemon = await world(t);
  const { path } = await startAgent(t, 'KEY', 'key');
  const folder = t.testdir({
    Dockerfile:
      `${base}COPY ask /bin/\n` +
      'RUN --mount=type=secret,id=f cat /run/secrets/f; echo\n' +
      'RUN --mount=type=secret,id=f2 cat /run/secrets/f2; echo\n' +
      'RUN --mount=type=secret,id=V cat /run/secrets/V; echo\n' +
      'RUN --mount=type=secret,id=v2,env=X echo $X\nRUN --mount=type=ssh ask\n',
  });
  writeFileSync(join(folder, 'ask'), agentClient(), { mode: 0o755 });
  const [one, two] = [join(folder, '..', `one-${process.pid}`), `${folder}-two,x`];
  for (const [file, text] of [[one, 'of a file'], [two, 'of another']] as const) {
    writeFileSync(file, text);
    t.teardown(() => rmSync(file));
  }
  const run = (args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(
      process.execPath, [program, '-H', `unix://${daemon.socket}`, 'build', ...args, folder],
      { env: { ...process.env, V: 'of its name', OTHER: 'of a name', SSH_AUTH_SOCK: path } },
    );
  const secrets = [`id=f,src=${one}`, `id=f2,"source=${two}"`, 'id=V', 'id=v2,env=OTHER'];
  const flags = secrets.flatMap((each) => ['--secret', each]);
  const { stdout } = await run([...flags, '--ssh', 'default']);
  for (const said of ['of a file', 'of another', 'of its name', 'of a name']) {
    t.match(stdout, `${said}\n`);
  }
  t.match(stdout, /KEY[^\n]*key\n[\s\S]*Successfully built/);
  const refused = (args: readonly string[], stderr: RegExp) =>
    t.rejects(run(args), { code: 1, stderr }, args.join(' '));
  await refused(['--secret', 'id=x,src=/none'], /failed to read secret x: ENOENT/);
  await refused(['--secret', 'src=/none'], /id is required/);
  await refused(['--secret', 'id=x,what=y'], /unexpected key 'what' in 'what=y'/);
  await refused(['--ssh', 'default=/etc/passwd'], /is no socket/);
  await refused(['--ssh', 'x=/none'], /ssh agent x: ENOENT/);
  writeFileSync(one, Buffer.alloc(600 * 1024));
  await refused(['--secret', `id=x,src=${one}`], /more than 512000 bytes/);
});
