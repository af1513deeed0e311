/** config.md of the OCI runtime specification: the process and the hooks. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holdRequirements, type Box, type Requirement } from '../../support/oci-conformance.js';

const change = (box: Box, members: object): void =>
  box.configure((config) => Object.assign(config.process, members));

/** A field of /proc/self/status there. */
async function status(box: Box, field: string): Promise<string> {
  return (await box.says(`grep ^${field}: /proc/self/status`)).split('\t')[1] ?? '';
}

const processes: readonly Requirement[] = [
  {
    section: 'Process', says: 'cwd must be an absolute path',
    holds: async (box) => {
      change(box, { cwd: 'bin' });
      await box.refuses();
    },
  },
  {
    section: 'Process', says: 'cwd is the working directory',
    holds: async (box) => {
      change(box, { cwd: '/bin' });
      assert.equal(await box.says('pwd'), '/bin');
    },
  },
  {
    section: 'Process', says: 'env is the environment, as it stands',
    holds: async (box) => {
      change(box, { env: ['PATH=/bin', 'A=b=c', 'EMPTY='] });
      const text = await box.says('busybox env');
      for (const line of ['PATH=/bin', 'A=b=c', 'EMPTY=']) assert.ok(text.includes(line), line);
    },
  },
  {
    section: 'Process', says: 'args has one entry at least',
    holds: async (box) => {
      change(box, { args: [] });
      await box.refuses();
    },
  },
  {
    section: 'Process', says: 'consoleSize is ignored without a terminal',
    holds: async (box) => {
      change(box, { terminal: false, consoleSize: { height: 10, width: 20 } });
      assert.equal(await box.says('tty || echo none'), 'not a tty\nnone');
    },
  },
  {
    section: 'POSIX process', says: 'soft and hard limits are those of rlimits',
    holds: async (box) => {
      change(box, { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 128 }] });
      assert.equal(await box.says('ulimit -Sn; ulimit -Hn'), '64\n128');
    },
  },
  {
    section: 'POSIX process', says: 'a limit that the kernel does not know is an error',
    holds: async (box) => {
      change(box, { rlimits: [{ type: 'RLIMIT_NOTHING', soft: 1, hard: 1 }] });
      await box.refuses();
    },
  },
  {
    section: 'POSIX process', says: 'a limit that is there twice is an error',
    holds: async (box) => {
      const limit = { type: 'RLIMIT_NOFILE', soft: 64, hard: 64 };
      change(box, { rlimits: [limit, limit] });
      await box.refuses();
    },
  },
];

const CAP_CHOWN = 0;
const CAP_KILL = 5;

const linux: readonly Requirement[] = [
  {
    section: 'Linux process', says: 'the five sets of capabilities are those of the configuration',
    holds: async (box) => {
      const all = ['CAP_CHOWN', 'CAP_KILL'];
      change(box, {
        capabilities: {
          bounding: all, permitted: all, effective: all, inheritable: ['CAP_KILL'],
          ambient: ['CAP_KILL'],
        },
        user: { uid: 1000, gid: 1000 },
      });
      const text = await box.says('grep ^Cap /proc/self/status');
      const sets = Object.fromEntries(
        text.split('\n').map((line) => line.split(':\t').map((part) => part.trim())));
      // What an execve of another user leaves of them is what is ambient.
      const kill = (1 << CAP_KILL).toString(16).padStart(16, '0');
      const both = ((1 << CAP_KILL) | (1 << CAP_CHOWN)).toString(16).padStart(16, '0');
      assert.deepEqual(sets, {
        CapInh: kill, CapPrm: kill, CapEff: kill, CapBnd: both, CapAmb: kill,
      });
    },
  },
  {
    section: 'Linux process', says: 'a capability that nobody knows is no reason to fail (1.1)',
    holds: async (box) => {
      const all = ['CAP_KILL', 'CAP_OF_THE_FUTURE'];
      change(box, { capabilities: { bounding: all, permitted: all, effective: all } });
      assert.equal(await box.says('echo well'), 'well');
    },
  },
  {
    section: 'Linux process', says: 'noNewPrivileges is as set',
    holds: async (box) => {
      change(box, { noNewPrivileges: true });
      assert.equal(await status(box, 'NoNewPrivs'), '1');
      change(box, { noNewPrivileges: false });
      assert.equal(await status(box, 'NoNewPrivs'), '0');
    },
  },
  {
    section: 'Linux process', says: 'oomScoreAdj is set to the value',
    holds: async (box) => {
      change(box, { oomScoreAdj: 321 });
      assert.equal(await box.says('cat /proc/self/oom_score_adj'), '321');
    },
  },
  {
    section: 'Linux process', says: 'without oomScoreAdj the value is not changed',
    holds: async (box) => {
      const own = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
      assert.equal(await box.says('cat /proc/self/oom_score_adj'), own);
    },
  },
  {
    section: 'Linux process', says: 'scheduler is applied (1.1)',
    holds: async (box) => {
      change(box, { scheduler: { policy: 'SCHED_BATCH', nice: 7 } });
      assert.equal(await box.says('busybox cut -d" " -f19,41 /proc/self/stat'), '7 3');
    },
  },
  {
    section: 'Linux process', says: 'ioPriority is applied (1.1)',
    holds: async (box) => {
      change(box, { ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 } });
      assert.equal(await box.says('busybox ionice'), 'best-effort: prio 6');
    },
  },
  {
    section: 'User', says: 'uid, gid and additionalGids are the process\'s',
    holds: async (box) => {
      change(box, { user: { uid: 1000, gid: 1001, additionalGids: [5, 6] } });
      assert.equal(await box.says('id -u; id -g; id -G'), '1000\n1001\n1001 5 6');
    },
  },
  {
    section: 'User', says: 'umask is the process\'s (1.0.2)',
    holds: async (box) => {
      change(box, { user: { uid: 0, gid: 0, umask: 0o27 } });
      assert.equal(await box.says('umask'), '0027');
    },
  },
];

/** Names of hooks, each of which adds a line to a file of the host. */
function hooks(box: Box, names: readonly string[], script = 'echo ${0}'): string {
  const log = join(box.folder, 'hooks');
  writeFileSync(log, '');
  box.configure((config) => {
    config.hooks = Object.fromEntries(names.map((name) => [
      name, [{ path: '/bin/sh', args: [name, '-c', `${script} >> ${log}`, name] }],
    ]));
  });
  return log;
}

const lines = (path: string): readonly string[] =>
  readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');

const hostHooks = ['prestart', 'createRuntime'];

const hookRequirements: readonly Requirement[] = [
  {
    section: 'POSIX-platform hooks', says: 'a path that is not absolute is an error',
    holds: async (box) => {
      box.configure((config) => (config.hooks = { prestart: [{ path: 'true' }] }));
      await box.refuses();
    },
  },
  {
    section: 'POSIX-platform hooks', says: 'hooks are called in the listed order',
    holds: async (box) => {
      const log = join(box.folder, 'hooks');
      box.configure((config) => {
        const hook = (word: string): object => ({
          path: '/bin/sh', args: ['sh', '-c', `echo ${word} >> ${log}`],
        });
        config.hooks = { prestart: ['a', 'b', 'c'].map(hook) };
      });
      await box.create();
      assert.deepEqual(lines(log), ['a', 'b', 'c']);
    },
  },
  {
    section: 'POSIX-platform hooks', says: 'the state is passed over stdin',
    holds: async (box) => {
      const log = hooks(box, ['createRuntime'], 'cat');
      await box.create();
      // What the runtime wrote.
      const state = JSON.parse(readFileSync(log, 'utf8')) as Record<string, unknown>;
      assert.equal(state['id'], box.id);
      assert.equal(state['bundle'], box.bundle);
      assert.equal(state['pid'], (await box.state())['pid']);
    },
  },
  {
    section: 'POSIX-platform hooks', says: 'a hook that takes longer than its timeout is an error',
    holds: async (box) => {
      box.configure((config) => {
        const hook = { path: '/bin/sleep', args: ['sleep', '60'], timeout: 1 };
        config.hooks = { createRuntime: [hook] };
      });
      await box.refuses();
    },
  },
  {
    section: 'POSIX-platform hooks', says: 'env is the hook\'s environment',
    holds: async (box) => {
      const log = join(box.folder, 'hooks');
      box.configure((config) => {
        const args = ['sh', '-c', `echo "$ONLY" > ${log}`];
        config.hooks = { prestart: [{ path: '/bin/sh', args, env: ['ONLY=this'] }] };
      });
      await box.create();
      assert.deepEqual(lines(log), ['this']);
    },
  },
  {
    section: 'Lifecycle', says: 'prestart and createRuntime hooks are called by create',
    holds: async (box) => {
      const log = hooks(box, hostHooks);
      await box.create();
      assert.deepEqual(lines(log), hostHooks);
    },
  },
  ...hostHooks.map((name): Requirement => ({
    section: 'Lifecycle', says: `a ${name} hook that fails is an error, and the container is gone`,
    holds: async (box) => {
      hooks(box, [name], 'exit 1;');
      await box.refuses();
    },
  })),
  {
    section: 'Lifecycle', says: 'createContainer hooks run in the container\'s namespaces',
    holds: async (box) => {
      const log = hooks(box, ['createContainer'], 'readlink /proc/self/ns/uts');
      await box.create('readlink /proc/self/ns/uts');
      await box.does('start', box.id);
      await box.becomes('stopped');
      assert.deepEqual(lines(log), [box.output().trim()]);
    },
  },
  {
    section: 'Lifecycle', says: 'startContainer hooks run there, before the program, by start',
    holds: async (box) => {
      box.configure((config) => {
        const hook = { path: '/bin/busybox', args: ['sh', '-c', 'echo hook >> /m/log'] };
        config.hooks = { startContainer: [hook] };
        config.mounts.push({ destination: '/m', type: 'bind', source: 'm', options: ['bind'] });
      });
      mkdirSync(join(box.bundle, 'm'));
      mkdirSync(join(box.bundle, 'rootfs/m'));
      await box.create('echo program >> /m/log');
      await box.does('start', box.id);
      await box.becomes('stopped');
      assert.deepEqual(lines(join(box.bundle, 'm/log')), ['hook', 'program']);
    },
  },
  {
    section: 'Lifecycle', says: 'poststart hooks are called by start, in the runtime\'s namespaces',
    holds: async (box) => {
      const log = hooks(box, ['poststart'], 'readlink /proc/self/ns/uts');
      await box.create();
      assert.deepEqual(lines(log), []);
      await box.does('start', box.id);
      assert.deepEqual(lines(log), [readlinkSync('/proc/self/ns/uts')]);
    },
  },
  {
    section: 'Lifecycle', says: 'a poststart hook that fails is an error, and stops it (1.2.1)',
    holds: async (box) => {
      hooks(box, ['poststart'], 'exit 1;');
      await box.create();
      await box.fails('start', box.id);
      const { code, stdout } = await box.call('state', box.id);
      assert.ok(code !== 0 || stdout.includes('"stopped"'), stdout);
    },
  },
  {
    section: 'Lifecycle', says: 'poststop hooks are called by delete; one that fails is no error',
    holds: async (box) => {
      const log = join(box.folder, 'hooks');
      writeFileSync(log, '');
      const both = [
        { path: '/bin/false' }, { path: '/bin/sh', args: ['sh', '-c', `echo went >> ${log}`] },
      ];
      box.configure((config) => (config.hooks = { poststop: both }));
      await box.create('exit 0');
      await box.does('start', box.id);
      await box.becomes('stopped');
      await box.does('delete', box.id);
      assert.deepEqual(lines(log), ['went']);
    },
  },
];

holdRequirements('config.md', [...processes, ...linux, ...hookRequirements]);
