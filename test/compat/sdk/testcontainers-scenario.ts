/** What test suites do with testcontainers. Run by node-sdks.test.ts, in the engine's network. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { GenericContainer, Network, PullPolicy, Wait } from 'testcontainers';
import { removeNamed } from '../../support/compat.js';
import { until } from '../../support/containers.js';
import { engineApi } from '../../support/engine-api.js';
import { scenarioWorld, tellChecks } from '../../support/scenario-checks.js';

const { tag, image, socket } = scenarioWorld();
const server = ['sh', '-c', 'echo ready; exec httpd -f -p 80 -h /www'];
const sleeper = ['sleep', '600'];

const made = (suffix = 'a'): GenericContainer =>
  new GenericContainer(image)
    .withName(`${tag}-${suffix}`)
    .withPullPolicy({ shouldPull: () => false })
    .withStartupTimeout(30_000);

async function page(host: string, port: number): Promise<string> {
  return (await fetch(`http://${host}:${port}/`)).text();
}

await tellChecks({
  'testcontainers: waits for a line of the log': async () => {
    const container = await made().withCommand(server).withExposedPorts(80)
      .withWaitStrategy(Wait.forLogMessage('ready')).start();
    assert.ok(container.getMappedPort(80) > 0);
    await container.stop();
  },
  'testcontainers: builds the image that it runs': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'testcontainers-'));
    try {
      writeFileSync(
        join(folder, 'Dockerfile'),
        `FROM ${image} AS first\nARG WHO=nobody\nCOPY . /c/\nRUN echo for $WHO > /who\n` +
          'FROM first\nRUN false\n',
      );
      writeFileSync(join(folder, 'kept'), 'k');
      writeFileSync(join(folder, 'ignored'), 'i');
      writeFileSync(join(folder, '.dockerignore'), 'ignored\n');
      const built = await GenericContainer.fromDockerfile(folder)
        .withBuildArgs({ WHO: 'me' }).withTarget('first').withCache(false)
        .build(`${tag}-built:1`, { deleteOnExit: false });
      const container = await built.withName(`${tag}-a`).withCommand(sleeper).start();
      const { output } = await container.exec(['sh', '-c', 'cat /who; ls /c']);
      assert.equal(output, 'for me\nDockerfile\nkept\n');
      await container.stop();
    } finally {
      rmSync(folder, { recursive: true, force: true });
      await engineApi(socket).delete(`/images/${tag}-built:1?force=1`);
    }
  },
  'testcontainers: waits for listening ports': async () => {
    const container = await made().withCommand(server).withExposedPorts(80)
      .withWaitStrategy(Wait.forListeningPorts()).start();
    assert.match(await page(container.getHost(), container.getFirstMappedPort()), /Hello/);
    await container.stop();
  },
  'testcontainers: waits for an HTTP answer': async () => {
    const container = await made().withCommand(server).withExposedPorts(80)
      .withWaitStrategy(Wait.forHttp('/', 80).forStatusCode(200)).start();
    await container.stop();
  },
  'testcontainers: waits for the health check': async () => {
    const container = await made().withCommand(sleeper)
      .withHealthCheck({ test: ['CMD-SHELL', 'true'], interval: 250, timeout: 1000, retries: 5 })
      .withWaitStrategy(Wait.forHealthCheck()).start();
    await container.stop();
  },
  'testcontainers: waits for a command, and for one that ends': async () => {
    const command = ['sh', '-c', 'sleep 0.5; touch /there; sleep 600'];
    const container = await made().withCommand(command)
      .withWaitStrategy(Wait.forSuccessfulCommand('test -e /there')).start();
    await container.stop();
    await made('b').withCommand(['true']).withWaitStrategy(Wait.forOneShotStartup()).start();
  },
  'testcontainers: copies files and contents before the start': async () => {
    const container = await made().withCommand(['sh', '-c', 'cat /tmp/f; exec sleep 600'])
      .withCopyContentToContainer([{ content: 'copied\n', target: '/tmp/f', mode: 0o600 }])
      .withWaitStrategy(Wait.forLogMessage('copied')).start();
    const { output } = await container.exec(['stat', '-c', '%a', '/tmp/f']);
    assert.equal(output.trim(), '600');
    await container.copyContentToContainer([{ content: 'later', target: '/tmp/g' }]);
    assert.equal((await container.exec('cat /tmp/g'.split(' '))).output, 'later');
    const tar = await buffer(await container.copyArchiveFromContainer('/tmp/g'));
    assert.match(tar.toString('latin1'), /^g\0[^]*later/);
    await container.stop();
  },
  'testcontainers: exec gives output, both streams and status': async () => {
    const container = await made().withCommand(sleeper).start();
    const found = await container.exec(['sh', '-c', 'echo o; echo e >&2; exit 3']);
    assert.deepEqual([found.exitCode, found.stdout, found.stderr], [3, 'o\n', 'e\n']);
    const options = { user: '1000', workingDir: '/tmp', env: { X: '1' } };
    const { output } = await container.exec(['sh', '-c', 'echo $(id -u) $(pwd) $X'], options);
    assert.equal(output, '1000 /tmp 1\n');
    await container.stop();
  },
  'testcontainers: networks with aliases': async () => {
    const network = await new Network().start();
    const web = await made().withCommand(server).withNetwork(network).withNetworkAliases('web')
      .withWaitStrategy(Wait.forLogMessage('ready')).start();
    const other = await made('b').withCommand(sleeper).withNetwork(network).start();
    const { output } = await other.exec(['wget', '-qO-', 'http://web/']);
    assert.match(output, /Hello/);
    assert.ok(web.getIpAddress(network.getName()));
    await other.stop();
    await web.stop();
    await network.stop();
  },
  'testcontainers: environment, labels, user, limits, tmpfs': async () => {
    const container = await made().withCommand(sleeper).withEnvironment({ X: 'y' })
      .withLabels({ compat: tag }).withUser('1000').withWorkingDir('/tmp').withTmpFs({ '/t': 'rw' })
      .withResourcesQuota({ memory: 0.1, cpu: 1 }).withHostname('box').start();
    const { output } = await container.exec(['sh', '-c', 'echo $X $(id -u) $(pwd) $(hostname)']);
    assert.equal(output, 'y 1000 /tmp box\n');
    assert.equal(container.getLabels()['compat'], tag);
    await container.stop();
  },
  'testcontainers: restart keeps it, with its ports published again': async () => {
    const container = await made().withCommand(server).withExposedPorts(80)
      .withWaitStrategy(Wait.forListeningPorts()).start();
    const id = container.getId();
    await container.restart();
    assert.equal(container.getId(), id);
    assert.match(await page(container.getHost(), container.getMappedPort(80)), /Hello/);
    await container.stop();
  },
  'testcontainers: stop may leave the container': async () => {
    const container = await made().withCommand(sleeper).withAutoRemove(false).start();
    const stopped = await container.stop({ remove: false, timeout: 1000 });
    const tar = await buffer(await stopped.copyArchiveFromContainer('/etc/passwd'));
    assert.match(tar.toString('latin1'), /root:x:0/);
  },
  'testcontainers: reuse finds the container that runs': async () => {
    const start = () => made().withCommand(sleeper).withLabels({ compat: tag }).withReuse().start();
    const first = await start();
    const second = await start();
    assert.equal(second.getId(), first.getId());
  },
  'testcontainers: logs are followed': async () => {
    const lines: string[] = [];
    const container = await made().withCommand(server)
      .withLogConsumer((stream) => stream.on('data', (line) => lines.push(String(line))))
      .withWaitStrategy(Wait.forLogMessage('ready')).start();
    // The one stream that was waited for and the consumer's are two: either may be the first.
    await until('the consumer is told', () => Promise.resolve(/ready/.test(lines.join(''))));
    await container.stop();
  },
  'testcontainers: a start that fails is told, and leaves nothing': async () => {
    const none = made().withCommand(['no-such-program']);
    await assert.rejects(none.start(), /executable file not found/);
  },
  'testcontainers: an image that is not there': async () => {
    const none = new GenericContainer('127.0.0.1:1/none:1')
      .withPullPolicy(PullPolicy.defaultPolicy());
    await assert.rejects(none.start(), /127\.0\.0\.1:1/);
  },
}, () => removeNamed(engineApi(socket), tag));
process.exit(0);
