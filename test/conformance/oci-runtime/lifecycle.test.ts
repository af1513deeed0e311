/** runtime.md of the OCI runtime specification: states and operations. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  byNode, holdRequirements, type Box, type Requirement,
} from '../../support/oci-conformance.js';
import { soon } from '../../support/oci-bundle.js';

/** Runs until it is told to end, and says that it was. */
const waits = 'trap "echo told; exit 3" USR1; echo up; while true; do sleep 0.05; done';

async function running(box: Box): Promise<void> {
  await box.create(waits);
  await box.does('start', box.id);
  assert.ok(await soon(() => box.output().includes('up')), 'it runs');
}

async function stopped(box: Box): Promise<void> {
  await box.create('exit 0');
  await box.does('start', box.id);
  await box.becomes('stopped');
}

async function is(box: Box, expected: Readonly<Record<string, unknown>>): Promise<void> {
  const state = await box.state();
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(state[name], value, name);
}

/** Of a command that is about a container. */
const needsContainer = (section: string, command: string): readonly Requirement[] => [
  {
    section, says: 'without an id it is an error',
    holds: (box) => box.fails(command),
  },
  {
    section, says: 'of a container that does not exist it is an error',
    holds: (box) => box.fails(command, box.id),
  },
];

const state: readonly Requirement[] = [
  {
    section: 'State', says: 'ociVersion, id, status and bundle are in the state',
    holds: async (box) => {
      await box.create();
      const { ociVersion } = await box.state();
      assert.match(String(ociVersion), /^1\.\d+\.\d+/);
      await is(box, { id: box.id, status: 'created', bundle: box.bundle });
    },
  },
  {
    section: 'State', says: 'pid is there when the container is created or running',
    holds: async (box) => {
      await running(box);
      const { pid } = await box.state();
      assert.match(readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8'), /^sh\0/);
    },
  },
  {
    section: 'State', says: 'annotations are those of the container',
    holds: async (box) => {
      box.configure((config) => (config['annotations'] = { 'org.example.key': 'value' }));
      await box.create();
      const { annotations } = await box.state();
      assert.equal((annotations as Record<string, string>)['org.example.key'], 'value');
    },
  },
  {
    section: 'State', says: 'created, running and stopped are told apart',
    holds: async (box) => {
      await box.create(waits);
      await is(box, { status: 'created' });
      await box.does('start', box.id);
      await is(box, { status: 'running' });
      await box.does('kill', box.id, 'KILL');
      await box.becomes('stopped');
    },
  },
  ...needsContainer('Query State', 'state'),
];

const create: readonly Requirement[] = [
  {
    section: 'Lifecycle', says: 'the program is not run by create',
    holds: async (box) => {
      await box.create('echo went');
      assert.equal(box.output(), '');
    },
  },
  {
    section: 'Lifecycle', says: 'changes of config.json after create do not affect the container',
    holds: async (box) => {
      await box.create('echo first');
      box.configure((config) => (config.process['args'] = ['sh', '-c', 'echo second']));
      await box.does('start', box.id);
      await box.becomes('stopped');
      assert.equal(box.output(), 'first\n');
    },
  },
  {
    section: 'Lifecycle', says: 'an environment that cannot be made is an error',
    holds: async (box) => {
      box.configure(({ mounts }) =>
        mounts.push({ destination: '/x', source: '/nowhere', type: 'bind', options: ['bind'] }));
      await box.refuses();
    },
  },
  {
    section: 'Create', says: 'without an id it is an error',
    holds: (box) => box.fails('create'),
  },
  {
    section: 'Create', says: 'without a bundle it is an error',
    holds: async (box) => {
      rmSync(join(box.bundle, 'config.json'));
      await box.refuses();
    },
  },
  {
    section: 'Create', says: 'an id that is taken is an error, and who has it is left alone',
    holds: async (box) => {
      await running(box);
      const before = await box.state();
      await box.fails('create', box.id);
      assert.deepEqual(await box.state(), before);
    },
  },
  {
    section: 'Create', says: 'an id that is not valid is an error',
    holds: async (box) => {
      for (const id of ['../up', 'a/b', '']) await box.fails('create', id);
    },
  },
  {
    section: 'Create', says: 'a property that cannot be applied is an error',
    holds: async (box) => {
      box.configure(({ linux }) => (linux['sysctl'] = { 'net.ipv4.no_such_thing': '1' }));
      await box.refuses();
    },
  },
  {
    section: 'Lifecycle', says: 'pivot, mounts and limits are made by create, as configured',
    holds: async (box) => {
      await box.create();
      const { pid } = await box.state();
      const root = readdirSync(`/proc/${String(pid)}/root`);
      assert.ok(root.includes('bin') && !root.includes('boot'));
      assert.ok(existsSync(`/proc/${String(pid)}/root/proc/version`));
    },
  },
];

const start: readonly Requirement[] = [
  ...needsContainer('Start', 'start'),
  {
    section: 'Start', says: 'the program is run as specified',
    holds: async (box) => {
      await box.create('echo "$0" went');
      await box.does('start', box.id);
      await box.becomes('stopped');
      assert.equal(box.output(), 'sh went\n');
    },
  },
  {
    section: 'Start', says: 'of a running container it is an error without effect',
    holds: async (box) => {
      await running(box);
      const before = await box.state();
      await box.fails('start', box.id);
      assert.deepEqual(await box.state(), before);
    },
  },
  {
    section: 'Start', says: 'of a stopped container it is an error without effect',
    holds: async (box) => {
      await stopped(box);
      await box.fails('start', box.id);
      await is(box, { status: 'stopped' });
    },
  },
  {
    section: 'Start', says: 'it is an error when process was not set',
    holds: async (box) => {
      box.configure((config) => delete (config as Record<string, unknown>)['process']);
      await box.createAsItIs();
      await box.fails('start', box.id);
    },
  },
];

const kill: readonly Requirement[] = [
  {
    section: 'Kill', says: 'without an id it is an error',
    holds: (box) => box.fails('kill'),
  },
  {
    section: 'Kill', says: 'the signal reaches the process',
    holds: async (box) => {
      await running(box);
      await box.does('kill', box.id, 'USR1');
      await box.becomes('stopped');
      assert.equal(box.output(), 'up\ntold\n');
    },
  },
  {
    section: 'Kill', says: 'a created container can be killed',
    holds: async (box) => {
      await box.create();
      await box.does('kill', box.id, 'KILL');
      await box.becomes('stopped');
    },
  },
  {
    section: 'Kill', says: 'of a stopped container it is an error without effect',
    holds: async (box) => {
      await stopped(box);
      await box.fails('kill', box.id, 'TERM');
      await is(box, { status: 'stopped' });
    },
  },
];

const deletion: readonly Requirement[] = [
  ...needsContainer('Delete', 'delete'),
  {
    section: 'Delete', says: 'of a created container it is an error without effect',
    holds: async (box) => {
      await box.create();
      await box.fails('delete', box.id);
      await is(box, { status: 'created' });
    },
  },
  {
    section: 'Delete', says: 'of a running container it is an error without effect',
    holds: async (box) => {
      await running(box);
      await box.fails('delete', box.id);
      await is(box, { status: 'running' });
    },
  },
  {
    section: 'Delete', says: 'what create made is gone',
    holds: async (box) => {
      box.configure(({ linux }) => (linux['cgroupsPath'] = `/${box.id}`));
      await stopped(box);
      await box.does('delete', box.id);
      await box.fails('state', box.id);
      const left = [`/sys/fs/cgroup/${box.id}`, `/sys/fs/cgroup/pids/${box.id}`].filter(existsSync);
      assert.deepEqual(left, []);
    },
  },
  {
    section: 'Delete', says: 'what create did not make stays',
    holds: async (box) => {
      const file = join(box.folder, 'kept');
      writeFileSync(file, 'kept');
      box.configure(({ mounts }) =>
        mounts.push({ destination: '/k', source: file, type: 'bind', options: ['bind'] }));
      await stopped(box);
      await box.does('delete', box.id);
      assert.equal(readFileSync(file, 'utf8'), 'kept');
      assert.ok(existsSync(join(box.bundle, 'rootfs/bin/busybox')));
    },
  },
  {
    section: 'Delete', says: 'the id may be used again',
    holds: async (box) => {
      await stopped(box);
      await box.does('delete', box.id);
      await stopped(box);
    },
  },
];

holdRequirements('runtime.md', [...state, ...create, ...start, ...kill, ...deletion], [byNode]);
