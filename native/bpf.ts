/** bpf(2), as far as device programs of cgroup version 2 need it. Fast. */
import * as fs from 'node:fs';
import koffi from 'koffi';
import { ErrnoError } from './errno-error.js';
import { errnoName } from './errno.js';

const SYS_BPF: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
const SIZEOF_ATTR = 128;
const INSTRUCTION_BYTES = 8;
/** The helpers' licence decides which helpers a program may call; it calls none. */
const LICENSE = Buffer.from('Apache-2.0\0');

const libc = koffi.load(null);
const bpf = libc.func('syscall', 'long', ['long', 'int', 'void *', 'uint']);

/**
 * Loads a program of BPF_PROG_TYPE_CGROUP_DEVICE and attaches it to the group at `folder`; it goes
 * when the group does. Throws `ErrnoError`: EPERM without CAP_BPF or CAP_SYS_ADMIN, EACCES or
 * EINVAL when the kernel's verifier does not accept it.
 */
export function attachDeviceProgram(folder: string, instructions: Buffer): void {
  const group = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    const program = load(instructions);
    try {
      const attr = Buffer.alloc(SIZEOF_ATTR);
      attr.writeUInt32LE(group, 0);
      attr.writeUInt32LE(program, 4);
      attr.writeUInt32LE(BPF_CGROUP_DEVICE, 8);
      attr.writeUInt32LE(BPF_F_ALLOW_MULTI, 12);
      call(BPF_PROG_ATTACH, attr, folder);
    } finally {
      fs.closeSync(program);
    }
  } finally {
    fs.closeSync(group);
  }
}

function load(instructions: Buffer): number {
  const attr = Buffer.alloc(SIZEOF_ATTR);
  attr.writeUInt32LE(BPF_PROG_TYPE_CGROUP_DEVICE, 0);
  attr.writeUInt32LE(instructions.length / INSTRUCTION_BYTES, 4);
  // koffi.address keeps neither buffer alive: both are referenced below, after the call.
  attr.writeBigUInt64LE(koffi.address(instructions), 8);
  attr.writeBigUInt64LE(koffi.address(LICENSE), 16);
  const fd = call(BPF_PROG_LOAD, attr, 'device program');
  return instructions.length > 0 && LICENSE.length > 0 ? fd : -1;
}

function call(command: number, attr: Buffer, about: string): number {
  const result = bpf(SYS_BPF[process.arch] ?? 321, command, attr, attr.length) as number;
  if (result < 0) throw new ErrnoError('bpf', errnoName(koffi.errno()), about);
  return result;
}
