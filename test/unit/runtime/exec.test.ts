/** The launch program of an exec: the orders that matter for safety. */
import { test } from 'tap';
import type { Step } from '../../../native/launch/opcodes.js';
import { compileExec, type ExecPlan } from '../../../daemon/runtime/compile/exec.js';
import type { OciProcess } from '../../../daemon/runtime/oci.js';

const none = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };

function process(changes: Partial<OciProcess> = {}): OciProcess {
  return {
    terminal: false, user: { uid: 0, gid: 0, additionalGids: [] }, args: ['ls'],
    env: ['PATH=/bin'], cwd: '/', capabilities: none, rlimits: [], noNewPrivileges: false,
    ...changes,
  };
}

function plan(changes: Partial<ExecPlan> = {}): ExecPlan {
  return {
    containerId: 'c'.repeat(64), process: process(), namespaces: ['mount', 'pid', 'network'],
    cgroup: { kind: 'tasks', files: ['/cg/a/tasks', '/cg/b/tasks'], views: [] },
    stdin: false, hasClient: false,
    ...changes,
  };
}

const names = (steps: readonly Step[]): readonly string[] => steps.map(({ op }) => op);

test('the pid namespace is entered before the clone, the others after', async (t) => {
  const { program } = compileExec(plan());
  t.ok(names(program.host).indexOf('setns') < names(program.host).indexOf('clone'));
  t.match(program.host.find(({ op }) => op === 'setns'), { type: 0x20000000 });
  t.match(program.init.find(({ op }) => op === 'setns'), { type: 0x40020000 });
  const shared = compileExec(plan({ namespaces: ['mount'] })).program;
  t.notOk(names(shared.host).includes('setns'), 'the host\'s own is not joined');
});

test('it is not dumpable from the first, and enters its groups before namespaces', async (t) => {
  const { init } = compileExec(plan()).program;
  t.match(init[0], { op: 'prctl', option: 4, arg2: 0 });
  const ops = names(init);
  t.ok(ops.lastIndexOf('write', ops.indexOf('setns')) >= 0);
  t.ok(ops.indexOf('write') < ops.indexOf('setns'));
});

test('fds of the host are closed before the working directory is entered', async (t) => {
  const { program, pidFd } = compileExec(plan());
  const chdir = names(program.init).indexOf('chdir');
  const closed = new Set(
    program.init.slice(0, chdir).flatMap((step) => (step.op === 'close' ? [step.fd] : [])),
  );
  const opened = program.host.flatMap((step) => (step.op === 'openat2' ? [step.out] : []));
  for (const fd of [pidFd, ...opened]) t.ok(closed.has(fd), `slot ${fd}`);
  const after = names(program.init).slice(chdir);
  t.same(after.slice(0, 2), ['chdir', 'getcwd'], 'and what was entered lies inside');
});

test('with version 2 it is born in its group', async (t) => {
  const { host, init } = compileExec(plan({ cgroup: { kind: 'clone', folder: '/cg' } })).program;
  const folder = host.find(({ op }) => op === 'openat2');
  const clone = host.find(({ op }) => op === 'clone');
  t.ok(folder?.op === 'openat2' && clone?.op === 'clone' && clone.cgroup === folder.out);
  t.notOk(init.some((step) => step.op === 'write' && step.about === 'cgroup'));
});

test('without a gate it borrows the shim\'s memory, unless one waits for the other', async (t) => {
  const made = (changes: Partial<ExecPlan>): Step | undefined =>
    compileExec(plan(changes)).program.host.find(({ op }) => op.startsWith('clone'));
  t.match(made({ opens: true }), { op: 'cloneVm', limitMs: 30_000 });
  t.match(made({}), { op: 'clone' }, 'who stops at the gate');
  t.match(made({ opens: true, namespaces: ['mount', 'pid', 'time'] }), { op: 'clone' });
  const filter = { filter: Buffer.alloc(8), flags: 8, listenerPath: '/l' };
  t.match(made({ opens: true, seccomp: filter }), { op: 'clone' }, 'a listener is told of it');
});

test('a terminal is one of the container\'s own, and controls the session', async (t) => {
  const { program, stdio } = compileExec(plan({ process: process({ terminal: true }) }));
  t.equal(stdio.kind, 'pty');
  const ops = names(program.init);
  t.ok(ops.indexOf('setns') < ops.indexOf('pty') && ops.indexOf('pty') < ops.indexOf('setctty'));
  t.ok(ops.indexOf('setsid') < ops.indexOf('setctty'));
});
