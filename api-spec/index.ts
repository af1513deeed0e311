/**
 * The contract's front door: every shape of the API by Docker's own name, as schema and as type.
 */
export * from './auth.js';
export * from './container-config.js';
export * from './container-verbs.js';
export * from './container.js';
export * from './endpoints.js';
export * from './errors.js';
export * from './host-config.js';
export * from './image.js';
export * from './mounts.js';
export * from './network.js';
export * from './prune.js';
export * from './stats.js';
export * from './stream.js';
export * from './system.js';
export * from './volume.js';
