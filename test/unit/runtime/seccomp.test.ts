import { test } from 'tap';
import type { OciSeccomp, OciSeccompArg } from '../../../daemon/runtime/oci.js';
import { compileSeccomp, seccompFilter } from '../../../daemon/runtime/seccomp/compile.js';
import { builtinSeccomp } from '../../../daemon/runtime/seccomp/builtin.js';
import { defaultProfile } from '../../../daemon/runtime/seccomp/default-profile.js';
import { parseProfile, resolveProfile } from '../../../daemon/runtime/seccomp/profile.js';
import { syscallNumbers, type SyscallArch } from '../../../daemon/runtime/seccomp/syscalls.js';
import { AARCH64, ALLOW, errno, I386, runFilter, X86_64 } from './bpf-machine.js';

const EPERM = errno(1);
const ENOSYS = errno(38);
const kernel = { major: 6, minor: 12 };

const filterFor = (capabilities: readonly string[] = [], architecture = 'amd64'): Buffer =>
  compileSeccomp(
    resolveProfile(defaultProfile, { capabilities: new Set(capabilities), architecture, kernel }),
  );

const arches: Readonly<Record<SyscallArch, number>> = {
  x86_64: X86_64, i386: I386, aarch64: AARCH64,
};

const ask = (
  filter: Buffer,
  name: string,
  args: readonly bigint[] = [],
  arch: SyscallArch = 'x86_64',
): number =>
  runFilter(filter, { nr: syscallNumbers(arch).get(name) ?? -1, arch: arches[arch], args }).verdict;

test('the default profile lets ordinary calls pass and refuses the dangerous ones', (t) => {
  const filter = filterFor();
  for (const name of ['read', 'execve', 'openat', 'clone', 'ptrace', 'mseal', 'removexattrat']) {
    t.equal(ask(filter, name), ALLOW, name);
  }
  for (const name of [
    'mount', 'unshare', 'setns', 'bpf', 'io_uring_setup', 'keyctl', 'add_key', 'kexec_load',
    'init_module', 'open_by_handle_at', 'userfaultfd', 'reboot', 'swapon', 'perf_event_open',
  ]) {
    t.equal(ask(filter, name), EPERM, name);
  }
  t.end();
});

test('sockets of AF_ALG and AF_VSOCK are refused on every door', (t) => {
  const filter = filterFor();
  for (const family of [1n, 2n, 10n, 16n, 39n, 41n]) t.equal(
    ask(filter, 'socket', [family]), ALLOW,
  );
  for (const family of [38n, 40n]) {
    t.equal(ask(filter, 'socket', [family]), EPERM);
    t.equal(ask(filter, 'socket', [family], 'i386'), EPERM);
  }
  t.equal(ask(filter, 'socketcall', [1n], 'i386'), EPERM, 'socketcall(SYS_SOCKET)');
  t.equal(ask(filter, 'socketcall', [3n], 'i386'), ALLOW, 'socketcall(SYS_CONNECT)');
  const x32 = runFilter(filter, { nr: 0x40000000 + 41, arch: X86_64, args: [2n] });
  t.equal(x32.verdict, EPERM, 'x32');
  t.end();
});

test('clone makes no namespaces, and clone3 does not exist', (t) => {
  const filter = filterFor();
  t.equal(ask(filter, 'clone', [0x3d0f00n]), ALLOW, 'a thread');
  for (const flag of [0x20000n, 0x2000000n, 0x10000000n, 0x40000000n]) {
    t.equal(ask(filter, 'clone', [flag | 17n]), EPERM);
  }
  t.equal(ask(filter, 'clone3'), ENOSYS);
  const admin = filterFor(['CAP_SYS_ADMIN']);
  t.equal(ask(admin, 'clone', [0x10000000n]), ALLOW);
  t.equal(ask(admin, 'clone3'), ALLOW);
  t.equal(ask(admin, 'mount'), ALLOW);
  t.end();
});

test('a capability opens its own calls and no others', (t) => {
  const filter = filterFor(['CAP_SYS_TIME']);
  t.equal(ask(filter, 'clock_settime'), ALLOW);
  t.equal(ask(filter, 'mount'), EPERM);
  t.end();
});

test('only five personalities are allowed, compared in all 64 bits', (t) => {
  const filter = filterFor();
  for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn]) {
    t.equal(ask(filter, 'personality', [persona]), ALLOW);
  }
  for (const persona of [1n, 0x40000n, 0x1_0000_0000n, 0x1_0000_0008n]) {
    t.equal(ask(filter, 'personality', [persona]), EPERM);
  }
  t.end();
});

test('a call younger than the profile is ENOSYS, so that libc falls back', (t) => {
  const filter = filterFor();
  for (const nr of [467, 999, 0x3fffffff]) {
    t.equal(runFilter(filter, { nr, arch: X86_64 }).verdict, ENOSYS);
    t.equal(runFilter(filter, { nr, arch: I386 }).verdict, ENOSYS);
  }
  t.end();
});

test('an architecture that nobody asked for is killed', (t) => {
  t.equal(runFilter(filterFor(), { nr: 0, arch: AARCH64 }).verdict, 0x80000000);
  t.equal(runFilter(filterFor([], 'arm64'), { nr: 0, arch: X86_64 }).verdict, 0x80000000);
  t.equal(ask(filterFor([], 'arm64'), 'read', [], 'aarch64'), ALLOW);
  t.end();
});

test('the tree decides any call in a few instructions', (t) => {
  const filter = filterFor();
  let most = 0;
  for (let nr = 0; nr < 470; nr++) {
    most = Math.max(most, runFilter(filter, { nr, arch: X86_64 }).steps);
  }
  t.ok(most <= 24, `at most ${most}`);
  t.ok(filter.length / 8 < 600, `${filter.length / 8} instructions`);
  t.end();
});

test('every number gets what the rules say, in each architecture', (t) => {
  for (const [architecture, arch] of [
    ['amd64', 'x86_64'], ['amd64', 'i386'], ['arm64', 'aarch64'],
  ] as const) {
    const rules = resolveProfile(defaultProfile, { capabilities: new Set(), architecture, kernel });
    const filter = compileSeccomp(rules);
    const plain = new Set(
      (rules.syscalls ?? []).filter(
        (rule) => rule.args === undefined && rule.action === 'SCMP_ACT_ALLOW',
      )
        .flatMap((rule) => rule.names),
    );
    const special = new Set((rules.syscalls ?? []).filter((rule) => !plain.has(rule.names[0] ?? ''))
      .flatMap((rule) => rule.names));
    for (const [name, nr] of syscallNumbers(arch)) {
      if (special.has(name) || nr > 466) continue;
      const { verdict } = runFilter(filter, { nr, arch: arches[arch] });
      if (verdict !== (plain.has(name) ? ALLOW : EPERM)) t.fail(`${arch} ${name}`);
    }
  }
  t.end();
});

const oneRule = (...args: OciSeccompArg[]): OciSeccomp => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  architectures: ['SCMP_ARCH_X86_64'],
  syscalls: [{ names: ['lseek'], action: 'SCMP_ACT_ALLOW', args }],
});

test('each comparison holds on both halves of an argument', (t) => {
  const value = 0x1_0000_0005;
  const around = [0n, 4n, 5n, 6n, 0x1_0000_0004n, 0x1_0000_0005n, 0x1_0000_0006n, 0x2_0000_0000n];
  const holds: Readonly<Record<string, (given: bigint) => boolean>> = {
    SCMP_CMP_EQ: (given) => given === BigInt(value),
    SCMP_CMP_NE: (given) => given !== BigInt(value),
    SCMP_CMP_LT: (given) => given < BigInt(value),
    SCMP_CMP_LE: (given) => given <= BigInt(value),
    SCMP_CMP_GT: (given) => given > BigInt(value),
    SCMP_CMP_GE: (given) => given >= BigInt(value),
  };
  for (const [op, isAllowed] of Object.entries(holds)) {
    const filter = compileSeccomp(oneRule({ index: 1, value, op: op as OciSeccompArg['op'] }));
    for (const given of around) {
      t.equal(
        ask(filter, 'lseek', [0n, given]), isAllowed(given) ? ALLOW : EPERM, `${op} ${given}`,
      );
    }
  }
  t.end();
});

test('all conditions of a rule must hold; two on one argument are alternatives', (t) => {
  const both = compileSeccomp(
    oneRule({ index: 0, value: 1, op: 'SCMP_CMP_EQ' }, { index: 1, value: 2, op: 'SCMP_CMP_EQ' }),
  );
  t.equal(ask(both, 'lseek', [1n, 2n]), ALLOW);
  t.equal(ask(both, 'lseek', [1n, 3n]), EPERM);
  t.equal(ask(both, 'lseek', [2n, 2n]), EPERM);
  const either = compileSeccomp(
    oneRule({ index: 0, value: 1, op: 'SCMP_CMP_EQ' }, { index: 0, value: 2, op: 'SCMP_CMP_EQ' }),
  );
  t.equal(ask(either, 'lseek', [1n]), ALLOW);
  t.equal(ask(either, 'lseek', [2n]), ALLOW);
  t.equal(ask(either, 'lseek', [3n]), EPERM);
  t.end();
});

test('a profile that allows by default refuses only what it names, and the future is allowed', (t) => {
  const profile = parseProfile(JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ name: 'chmod', action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
  }));
  const filter = compileSeccomp(
    resolveProfile(profile, { capabilities: new Set(), architecture: 'amd64', kernel }),
  );
  t.equal(ask(filter, 'chmod'), errno(13));
  t.equal(ask(filter, 'mount'), ALLOW);
  t.equal(runFilter(filter, { nr: 999, arch: X86_64 }).verdict, ALLOW);
  t.end();
});

test('a profile that is none is refused with 400', (t) => {
  for (const text of [
    '', '[]', '{}', '{"defaultAction":"NO"}', '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}',
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"maybe"}]}',
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG",' +
      '"args":[{"index":9,"value":1,"op":"SCMP_CMP_EQ"}]}]}',
  ]) {
    t.throws(
      () => parseProfile(text), { kind: 'InvalidParameter', message: /Decoding seccomp profile/ },
    );
  }
  t.end();
});

test('the same configuration is compiled once', (t) => {
  const rules = resolveProfile(
    defaultProfile, { capabilities: new Set(), architecture: 'amd64', kernel },
  );
  t.equal(seccompFilter(rules), seccompFilter(structuredClone(rules)));
  t.end();
});

test('what is remembered is what would be made anew, for every target its own', (t) => {
  const sets = [[], ['CAP_SYS_ADMIN'], ['CAP_SYS_PTRACE', 'CAP_BPF'], ['CAP_SYS_TIME']];
  const targets = ['amd64', 'arm64'].flatMap((architecture) =>
    [kernel, { major: 4, minor: 4 }].flatMap((version) =>
      sets.map((names) => ({ capabilities: new Set(names), architecture, kernel: version }))));
  for (const target of [...targets, ...targets]) {
    const fresh = resolveProfile(defaultProfile, target);
    const seccomp = builtinSeccomp(target);
    const { architecture, kernel: { major }, capabilities } = target;
    const about = `${architecture} ${major} ${[...capabilities].join()}`;
    t.same(seccomp, fresh, about);
    t.ok(seccompFilter(seccomp).equals(compileSeccomp(fresh)), about);
    t.equal(builtinSeccomp(target), seccomp, `${about} is kept`);
  }
  t.end();
});
