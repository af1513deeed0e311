/** Flags of open(2) that Node does not name; these are the same on x86-64 and arm64. */

/** Goes at execve. */
export const O_CLOEXEC = 0o2000000;
/** Names a file without opening it. */
export const O_PATH = 0o10000000;
