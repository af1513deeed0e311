/** Every operation, by its operationId. */
import * as containers from './containers.js';
import * as exec from './exec.js';
import * as images from './images.js';
import * as networks from './networks.js';
import * as plugins from './plugins.js';
import * as swarm from './swarm.js';
import * as system from './system.js';
import * as volumes from './volumes.js';

const { rawStream, multiplexedStream, ...containerOperations } = containers;

export { multiplexedStream, rawStream };

/** Every operation, by its operationId; the order is that of the documents. */
export const operations = {
  ...containerOperations,
  ...exec,
  ...images,
  ...volumes,
  ...networks,
  ...system,
  ...plugins,
  ...swarm,
} as const;

/** Every operation's type, by its operationId. */
export type Operations = typeof operations;
/** Docker's name of an operation. */
export type OperationId = keyof Operations;
