/** AppArmor of this kernel, and a profile to try it with. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { packageCache } from './debian-package.js';

const programs = ['/usr/sbin', '/sbin', join(packageCache, 'apparmor/sbin'),
  join(packageCache, 'apparmor/usr/sbin')];
process.env['PATH'] = `${process.env['PATH'] ?? ''}:${programs.join(':')}`;
const { apparmor, apparmorParser: parser = '' } = readHostFacts();

/** Why nothing can be tried here; false when it can. */
export const skipWithoutApparmor = apparmor
  ? parser === '' && 'there is no apparmor_parser: .ci/setup tests'
  : 'this kernel does not confine by AppArmor';

const profile = (name: string): string =>
  `profile ${name} flags=(attach_disconnected,mediate_deleted) {
    network, capability, file, signal, ptrace, mount, umount, pivot_root, deny /secret r,
  }`;

/** The kernel knows it until the test ends: everything is allowed but to read /secret. */
export function loadProfile(t: Test, name: string): void {
  execFileSync(parser, ['-K', '-r'], { input: profile(name), stdio: 'pipe' });
  t.teardown(() => execFileSync(parser, ['-R'], { input: profile(name), stdio: 'pipe' }));
}

/** The kernel forgets a profile. */
export function dropProfile(name: string): void {
  execFileSync(parser, ['-R'], { input: `profile ${name} {}`, stdio: 'pipe' });
}
