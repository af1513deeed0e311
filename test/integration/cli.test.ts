/**
 * The client against a running engine: tsdockerd, or any other that `TSDOCKER_TEST_HOST` names
 * (`unix:///…`), since what is asked here must hold for both.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import tap, { test } from 'tap';
import { importImage } from '../../bench/image.js';
import { openClient } from '../../bench/client.js';
import { startDaemon, type Test } from '../support/daemon.js';

const program = fileURLToPath(new URL('../../cli/tsdocker.cjs', import.meta.url));
const runTimeoutMs = 60_000;

// Some sixty programs are started one after the other, on a machine that may be busy.
tap.setTimeout(300_000);

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Asked {
  readonly host: string;
  readonly input?: string | Buffer;
  /** Signals as soon as this is printed. */
  readonly signalOn?: string;
}

/** Runs one command line to its end. */
function run(words: readonly string[], { host, input, signalOn }: Asked): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...words], {
      env: { ...process.env, DOCKER_HOST: host, DOCKER_CONFIG: '/nonexistent' },
      timeout: runTimeoutMs,
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
      if (signalOn !== undefined && output.stdout.includes(signalOn)) child.kill('SIGTERM');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...output }));
    child.stdin.on('error', () => undefined); // the program may end before it has read everything
    child.stdin.end(input ?? '');
  });
}

interface World {
  readonly image: string;
  readonly prefix: string;
  readonly tsdocker: (words: string, more?: Partial<Asked>) => Promise<Outcome>;
}

/** An engine with a small image, and names that are used by nobody else. */
async function world(t: Test): Promise<World> {
  const host = process.env['TSDOCKER_TEST_HOST'] ?? `unix://${(await startDaemon(t)).socket}`;
  const prefix = `cli${randomBytes(4).toString('hex')}`;
  const image = `${prefix}:1`;
  const client = openClient(host.replace('unix://', ''));
  const tsdocker: World['tsdocker'] = (words, more = {}) => run(split(words), { host, ...more });
  await importImage(client, image);
  t.teardown(async () => {
    const { stdout } = await tsdocker(`ps -aq --filter ancestor=${image}`);
    for (const id of stdout.split('\n').filter(Boolean)) await tsdocker(`rm -fv ${id}`);
    await tsdocker(`rmi -f ${image}`);
    client.close();
  });
  return { image, prefix, tsdocker };
}

/** Words as a shell takes them, single quotes only. */
function split(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

test('a container is run, and its life is shown', async (t) => {
  const { image, prefix, tsdocker } = await world(t);

  await t.test('output and exit code are those of the container', async (t) => {
    const script = "'echo out; echo err >&2; exit 7'";
    const done = await tsdocker(`run --rm --network none ${image} /bin/sh -c ${script}`);
    t.same(done, { status: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  await t.test('a command that is not there is 127, one that may not be run is 126', async (t) => {
    const missing = await tsdocker(`run --rm --network none ${image} /bin/nope`);
    t.equal(missing.status, 127);
    t.match(missing.stderr, /^tsdocker: Error response from daemon: .*no such file or directory/);
    t.equal((await tsdocker(`run --rm --network none ${image} /lines`)).status, 126);
    t.equal((await tsdocker(`run --rm --memory abc ${image}`)).status, 125);
    t.equal((await tsdocker(`run --rm --pull never ${prefix}-no:1`)).status, 125);
  });

  await t.test('standard input goes in, its end ends the container', async (t) => {
    const input = randomBytes(300_000).toString('base64');
    const done = await tsdocker(`run --rm -i --network none ${image} /bin/cat`, { input });
    t.equal(done.status, 0);
    t.equal(done.stdout.length, input.length);
    t.ok(done.stdout === input);
  });

  await t.test('signals reach the container', async (t) => {
    const script = "'trap \"echo got; exit 9\" TERM; echo ready; while :; do sleep 0.1; done'";
    const done = await tsdocker(`run --rm --network none ${image} /bin/sh -c ${script}`, {
      signalOn: 'ready',
    });
    t.match(done, { status: 9, stdout: 'ready\ngot\n' });
  });

  await t.test('a container in the background is listed, inspected, stopped and removed', async (t) => {
    const name = `${prefix}-d`;
    const label = `${prefix}=x`;
    const made = await tsdocker(
      `run -d --name ${name} --network none -l ${label} ${image} /bin/sleep 1000`,
    );
    t.match(made, { status: 0, stdout: /^[0-9a-f]{64}\n$/ });
    const id = made.stdout.trim();

    const filter = `--filter label=${label}`;
    t.match(
      (await tsdocker(`ps ${filter}`)).stdout,
      /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS/,
    );
    t.equal((await tsdocker(`ps -q ${filter}`)).stdout, `${id.slice(0, 12)}\n`);
    t.match(await tsdocker(`ps -q --format '{{.Names}}' ${filter}`), {
      status: 0, stdout: `${id.slice(0, 12)}\n`,
      stderr: 'WARNING: Ignoring custom format, because both --format and --quiet are set.\n',
    });
    const shown = await tsdocker(
      `ps ${filter} --format '{{.Names}} {{.Image}} {{.Command}} {{.State}}'`,
    );
    t.equal(shown.stdout, `${name} ${image} "/bin/sleep 1000" running\n`);

    const inspected = await tsdocker(
      `inspect -f '{{.State.Running}} {{json .Config.Cmd}}' ${name}`,
    );
    t.equal(inspected.stdout, 'true ["/bin/sleep","1000"]\n');
    const [full] = JSON.parse((await tsdocker(`inspect ${name}`)).stdout);
    t.match(full, { Id: id, Name: `/${name}` });

    t.match(
      await tsdocker(`rm ${name}`),
      { status: 1, stderr: /container is running: stop the container/ },
    );
    t.match(await tsdocker(`stop -t 0 ${name}`), { status: 0, stdout: `${name}\n` });
    t.equal((await tsdocker(`wait ${name}`)).stdout, '137\n');
    t.match(
      await tsdocker(`start ${name} ${prefix}-no`),
      { status: 1, stdout: `${name}\n`, stderr: /No such container/ },
    );
    t.match(await tsdocker(`rename ${name} ${name}2`), { status: 0 });
    t.match(await tsdocker(`rm -f ${name}2`), { status: 0, stdout: `${name}2\n` });
    t.equal((await tsdocker(`inspect ${name}2`)).stderr, `Error: No such object: ${name}2\n`);
    t.match(await tsdocker(`inspect -f {{.Id}} ${name}2`), { status: 1, stdout: '\n' });
    t.match(
      await tsdocker(`inspect --type nope ${name}2`),
      { status: 1, stderr: /^unknown type: "nope": must be one of "config", "container", "image"/ },
    );
  });

  await t.test('files are copied in and out, under another name', async (t) => {
    const name = `${prefix}-c`;
    const folder = t.testdir({ 'in.txt': 'hello' });
    await tsdocker(`create --name ${name} --network none ${image} /bin/true`);
    const copied = await tsdocker(`cp ${folder}/in.txt ${name}:/bin/renamed`);
    t.match(copied, { status: 0, stderr: '' });
    t.match(await tsdocker(`cp ${name}:/bin/renamed ${folder}/out.txt`), { status: 0, stderr: '' });
    t.equal(readFileSync(join(folder, 'out.txt'), 'utf8'), 'hello');
    t.match(await tsdocker(`cp ${name}:/nope ${folder}`), { status: 1, stderr: /Could not find/ });
  });

  await t.test('folders land where docker lets them land', async (t) => {
    const name = `${prefix}-f`;
    const folder = t.testdir({ src: { a: 'A', sub: { b: 'B' } }, here: {}, file: 'f' });
    await tsdocker(`create --name ${name} --network none ${image} /bin/true`);
    const copies = async (line: string) => {
      t.match(await tsdocker(`cp ${line}`), { status: 0, stderr: '', stdout: '' }, line);
    };
    await copies(`${folder}/src ${name}:/new`);
    await copies(`${folder}/src ${name}:/bin`);
    await copies(`${folder}/src/. ${name}:/content`);
    await copies(`${folder}/src/sub/. ${name}:/content/`);
    await copies(`${name}:/new/. ${folder}/here`);
    await copies(`${name}:/bin/src ${folder}/here`);
    await copies(`${name}:/content ${folder}/out`);
    const found = (await import('node:fs')).readdirSync(folder, { recursive: true });
    t.strictSame(found.map(String).sort().filter((path) => /^(here|out)\//.test(path)), [
      'here/a', 'here/src', 'here/src/a', 'here/src/sub', 'here/src/sub/b', 'here/sub',
      'here/sub/b', 'out/a', 'out/b', 'out/sub', 'out/sub/b',
    ]);
    const fails = async (line: string, why: RegExp) => {
      t.match(await tsdocker(`cp ${line}`), { status: 1, stderr: why }, line);
    };
    await fails(`${folder}/src ${name}:/new/a`, /cannot copy directory/);
    await fails(`${folder}/file ${name}:/none/`, /no such directory/);
    await fails(`${folder}/file ${name}:/none/x`, /Could not find the file \/none in container/);
    await fails(`${name}:/new ${folder}/file`, /cannot copy directory/);
    await fails(`${name}:/new ${folder}/no/where`, /invalid output path: directory/);
    await fails(`${folder}/nothing ${name}:/`, /no such file or directory/);
    t.match(await tsdocker(`diff ${name}`), { stdout: /^A \/content\nA \/content\/a\n/m });
    t.match(await tsdocker(`export -o ${folder}/x.tar ${name}`), { status: 0, stdout: '' });
    t.match(await tsdocker(`commit -m why ${name} ${prefix}-made`), { stdout: /^sha256:/ });
    t.match(await tsdocker(`history -q ${prefix}-made`), { stdout: /^[0-9a-f]{12}\n/ });
    t.match(await tsdocker(`rmi ${prefix}-made`), { status: 0 });
  });

  await t.test('logs keep the two streams apart', async (t) => {
    const name = `${prefix}-l`;
    const script = "'for i in 1 2 3; do echo o$i; echo e$i >&2; done'";
    await tsdocker(`run --name ${name} --network none ${image} /bin/sh -c ${script}`);
    t.match(
      await tsdocker(`logs ${name}`),
      { status: 0, stdout: 'o1\no2\no3\n', stderr: 'e1\ne2\ne3\n' },
    );
    const last = await tsdocker(`logs --tail 1 --timestamps ${name}`);
    t.match(`${last.stdout}${last.stderr}`, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z [eo]3\n$/);
    t.match(await tsdocker(`logs ${prefix}-no`), { status: 1, stderr: /No such container/ });
  });
});

test('images, volumes, networks and the engine itself are shown', async (t) => {
  const { image, prefix, tsdocker } = await world(t);

  await t.test('an image gets one more name and loses it', async (t) => {
    t.match(await tsdocker(`tag ${image} ${prefix}/more:2`), { status: 0 });
    const listed = await tsdocker(`images ${prefix}/more --format '{{.Repository}}:{{.Tag}}'`);
    t.equal(listed.stdout, `${prefix}/more:2\n`);
    t.equal((await tsdocker(`rmi ${prefix}/more:2`)).stdout, `Untagged: ${prefix}/more:2\n`);
    t.match(await tsdocker(`rmi ${prefix}/more:2`), { status: 1, stderr: /No such image/ });
  });

  await t.test('a volume and a network are made, listed and removed', async (t) => {
    const name = `${prefix}-v`;
    t.equal((await tsdocker(`volume create --label a=b ${name}`)).stdout, `${name}\n`);
    t.equal((await tsdocker(`volume ls -q --filter name=${name}`)).stdout, `${name}\n`);
    t.equal((await tsdocker(`volume inspect -f '{{.Labels.a}}' ${name}`)).stdout, 'b\n');
    t.equal((await tsdocker(`volume rm ${name}`)).stdout, `${name}\n`);
    t.match(await tsdocker(`network create ${name}`), { status: 0, stdout: /^[0-9a-f]{64}\n$/ });
    t.equal(
      (await tsdocker(`network ls --format '{{.Name}} {{.Driver}}' --filter name=${name}`)).stdout,
      `${name} bridge\n`,
    );
    t.equal((await tsdocker(`network rm ${name}`)).stdout, `${name}\n`);
  });

  await t.test('events of the past are told and the stream ends', async (t) => {
    const name = `${prefix}-e`;
    await tsdocker(`run --rm --name ${name} --network none ${image} /bin/true`);
    const { stdout, status } = await tsdocker(
      `events --since 1m --until 0s --filter container=${name} --format '{{.Action}}'`,
    );
    t.equal(status, 0);
    t.match(stdout, /^create\n(attach\n)?start\n/);
    t.match(stdout, /die\n/);
  });

  await t.test('version and info know the engine', async (t) => {
    t.match(
      (await tsdocker("version -f '{{.Server.Version}} {{.Client.Version}}'")).stdout,
      /^\d+\.\d+.* \d+\.\d+/,
    );
    t.match((await tsdocker("info -f '{{.OSType}} {{.NCPU}}'")).stdout, /^linux \d+\n$/);
  });

  await t.test('dial-stdio carries a whole conversation', async (t) => {
    const input = 'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const { stdout, status } = await tsdocker('system dial-stdio', { input });
    t.equal(status, 0);
    t.match(stdout, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nOK$/);
  });
});

test('a line that is wrong says how it is right', async (t) => {
  const host = 'unix:///nonexistent/socket';
  t.match(await run(['ps', '--bogus'], { host }), {
    status: 125,
    stderr:
      'unknown flag: --bogus\n\nUsage:  tsdocker ps [OPTIONS]\n\n' +
      "Run 'tsdocker ps --help' for more information\n",
  });
  t.match(await run(['nope'], { host }), { status: 1, stderr: /unknown command: tsdocker nope/ });
  t.match(await run(['rm'], { host }), { status: 1, stderr: /requires at least 1 argument/ });
  t.match(await run(['run', '--help'], { host }), { status: 0, stdout: /--cap-add list/ });
  t.match(
    await run(['ps'], { host }),
    { status: 1, stderr: /^Cannot connect to the Docker daemon at unix:/ },
  );
});
