/** The one thread that talks to the kernel's network: batches in, answers out, in order. */
import { parentPort } from 'node:worker_threads';
import { ErrnoError } from '../errno-error.js';
import { LostInNetnsError } from '../netns.js';
import { createExecutor } from './executor.js';
import type { StepFailure, WorkerReply, WorkerRequest } from './steps.js';

const port = parentPort;
if (port === null) throw new Error('netlink/worker.js runs as a worker thread only');
const executor = createExecutor();

port.on('message', (request: WorkerRequest) => {
  let reply: WorkerReply;
  try {
    reply = { id: request.id, answers: executor.run(request.steps) };
  } catch (error) {
    // Ends the thread; the batches under way fail, and the next one gets a new worker.
    if (error instanceof LostInNetnsError) throw error;
    reply = { id: request.id, failure: describe(error, executor.failedStep()) };
  }
  port.postMessage(reply);
});

function describe(error: unknown, step: number): StepFailure {
  if (error instanceof ErrnoError) {
    return { step, syscall: error.syscall, code: error.code, about: error.about ?? '' };
  }
  return { step, syscall: 'netlink', code: 'EINVAL', about: String(error) };
}
