export { makeBundle } from './bundle.js';
export { createRuntime, type Runtime } from './runtime.js';
export type { RuntimeOptions } from './context.js';
export type { CgroupStats, ContainerCgroup } from './cgroup/index.js';
export type { AttachOptions, Task, TaskExit } from './task.js';
