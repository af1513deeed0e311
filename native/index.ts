/** The kernel, typed: what the rest of the project imports from `native/`. */
export { errnoName, errnoNumber } from './errno.js';
export { ErrnoError } from './errno-error.js';
export { encodeProgram, LaunchError, ProgramError } from './launch/encode.js';
export { CWD } from './launch/opcodes.js';
export type { LaunchProgram, Slot, Step } from './launch/opcodes.js';
export { setChildSubreaper } from './libc.js';
export * from './shim/client.js';
export { openPidFd } from './pid-fd.js';
export { sendFd } from './send-fd.js';
export { shimProgramFd } from './spawn.js';
