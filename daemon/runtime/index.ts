export { createRuntime, type Runtime, type RuntimeOptions } from './runtime.js';
export type { CgroupStats, ContainerCgroup } from './cgroup/index.js';
export type { AttachOptions, Task, TaskExit } from './task.js';
