/** Device nodes and the cgroup's rules about them. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { OciDevice, OciDeviceRule } from '../oci.js';

const world = { fileMode: 0o666, uid: 0, gid: 0 };
const character = (path: string, major: number, minor: number): OciDevice => ({
  path, type: 'c', major, minor, ...world,
});

/** In every container. */
export const defaultDevices: readonly OciDevice[] = [
  character('/dev/null', 1, 3),
  character('/dev/zero', 1, 5),
  character('/dev/full', 1, 7),
  character('/dev/random', 1, 8),
  character('/dev/urandom', 1, 9),
  character('/dev/tty', 5, 0),
];

const rule = (type: 'b' | 'c', access: string, major?: number, minor?: number): OciDeviceRule => ({
  allow: true, type, access,
  ...(major === undefined ? {} : { major }),
  ...(minor === undefined ? {} : { minor }),
});

/**
 * Deny all, then: any character device may be made (so that images with nodes unpack) but only
 * these be opened. Unlike Docker's, block devices may not even be made: nothing needs it.
 */
export const defaultDeviceRules: readonly OciDeviceRule[] = [
  { allow: false, type: 'a', access: 'rwm' },
  rule('c', 'm'),
  ...[3, 5, 7, 8, 9].map((minor) => rule('c', 'rwm', 1, minor)),
  ...[0, 1, 2].map((minor) => rule('c', 'rwm', 5, minor)),
  rule('c', 'rwm', 136),
  rule('c', 'rwm', 10, 200),
];

/** A privileged container's. */
export const allDevices: readonly OciDeviceRule[] = [{ allow: true, type: 'a', access: 'rwm' }];

/** The rule that `--device` implies for the node it adds. */
export function ruleFor(device: OciDevice, access: string): OciDeviceRule {
  const type = device.type === 'b' ? 'b' : 'c';
  return { allow: true, type, major: device.major, minor: device.minor, access };
}

/** Checks the permissions that `--device` gives: of `rwm`; empty means all. */
export function deviceAccess(given: string | undefined): string {
  const access = given === undefined || given === '' ? 'rwm' : given;
  if (!/^[rwm]{1,3}$/.test(access)) {
    throw invalidParameter(`invalid device access permissions: ${access}`);
  }
  return access;
}

/** `c 13:* rwm`, as `--device-cgroup-rule` takes it. Throws `ApiError` 400. */
export function parseDeviceRule(text: string): OciDeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) throw invalidParameter(`invalid device cgroup rule format: '${text}'`);
  const [, type = '', major = '', minor = '', access = ''] = match;
  return {
    allow: true,
    type: type as OciDeviceRule['type'], // one of the three letters that matched
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}
