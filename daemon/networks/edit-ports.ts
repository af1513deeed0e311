/**
 * Other published ports for a container that runs. The kernel serves the new ones before they are
 * recorded, and what the shim may hold beyond the record is named there (`pendingPorts`) before it
 * is touched: a daemon that dies in between leaves a record that the next one can make true.
 */
import { conflict } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { Place } from '../../native/shim/held-socket.js';
import type { PortMapping } from '../../netplugins/plugin.js';
import type { PortEdit } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import type { TaskPorts } from '../runtime/task.js';
import { shownPorts, takePorts } from './allocate.js';
import { networkOf, pluginOf, type Context } from './context.js';
import { aimedAnew, missingFrom, type Reservation } from './ports.js';
import { portEndpoint } from './publish.js';
import { saveSandbox, type EndpointRecord, type SandboxRecord } from './records.js';

/** See `NetworksNeed.editPorts`. */
export async function editPorts(
  context: Context,
  record: ContainerRecord,
  ports: TaskPorts,
): Promise<PortEdit | undefined> {
  const sandbox = context.book.sandboxOf(record.id);
  const endpoint = portEndpoint(sandbox?.endpoints ?? []);
  const held = sandbox === undefined ? undefined : context.held.get(sandbox.id);
  if (sandbox === undefined || endpoint === undefined || held === undefined) return undefined;
  await Promise.allSettled([held.recorded, held.published]);
  const before = held.reservations;
  const after = takePorts(context, { record, endpoints: sandbox.endpoints }, (requests, target) =>
    context.ports.replan(before, requests, target));
  const edit: Edit = { context, sandboxId: sandbox.id, endpoint, ports, before, after };
  try {
    await note(edit, pendingOf(edit));
    await serve(edit);
  } catch (error) {
    await revert(edit);
    throw inWords(error);
  }
  const made = {
    ...current(edit),
    ...shownPorts(record, sandbox.endpoints, after),
    pendingPorts: pendingOf(edit),
  };
  return {
    statements: [saveSandbox(made)],
    done: async () => {
      held.reservations = after;
      context.book.putSandbox(made);
      for (const { mapping } of missingFrom(after, before)) await drop(ports, mapping);
      context.ports.settle(before, after);
      await note(edit, []);
    },
    undo: () => revert(edit),
  };
}

/**
 * A daemon died in the midst of a change: the shim is made to hold what the record says. The
 * kernel's rules are made anew at every start.
 */
export async function finishEdit(
  context: Context,
  sandbox: SandboxRecord,
  ports: TaskPorts,
): Promise<SandboxRecord> {
  const { pendingPorts = [], ...settled } = sandbox;
  if (pendingPorts.length === 0) return sandbox;
  const wanted = (each: PortMapping): PortMapping | undefined =>
    settled.ports.find(({ protocol, hostIp, hostPort }) =>
      protocol === each.protocol && hostIp === each.hostIp && hostPort === each.hostPort);
  for (const each of pendingPorts) {
    const mapping = wanted(each);
    if (mapping === undefined) await drop(ports, each);
    else await unlessGone(ports.aim(placeOf(mapping), context.ports.forwardOf(mapping)));
  }
  await context.store.commit([saveSandbox(settled)], 'normal');
  return settled;
}

interface Edit {
  readonly context: Context;
  readonly sandboxId: string;
  readonly endpoint: EndpointRecord;
  readonly ports: TaskPorts;
  readonly before: readonly Reservation[];
  readonly after: readonly Reservation[];
}

const pendingOf = ({ before, after }: Edit): readonly PortMapping[] =>
  [...before, ...missingFrom(before, after)].map(({ mapping }) => mapping);

/** As it is now: another network may have come to it meanwhile. */
function current({ context, sandboxId }: Edit): SandboxRecord {
  const sandbox = context.book.sandbox(sandboxId);
  if (sandbox === undefined) throw conflict('the container has ended meanwhile');
  return sandbox;
}

async function note(edit: Edit, pendingPorts: readonly PortMapping[]): Promise<void> {
  const noted = { ...current(edit), pendingPorts };
  await edit.context.store.commit([saveSandbox(noted)], 'normal');
  edit.context.book.putSandbox(noted);
}

async function serve(edit: Edit): Promise<void> {
  const { context, ports, before, after } = edit;
  for (const { fd, mapping } of missingFrom(before, after)) {
    await ports.hold(fd);
    const forward = context.ports.forwardOf(mapping);
    if (forward !== undefined) await ports.aim(placeOf(mapping), forward);
  }
  for (const { mapping } of aimedAnew(before, after)) {
    await ports.aim(placeOf(mapping), context.ports.forwardOf(mapping));
  }
  await publish(edit, after, before);
}

async function publish(
  { context, endpoint }: Edit,
  reservations: readonly Reservation[],
  instead: readonly Reservation[],
): Promise<void> {
  const network = networkOf(context, endpoint);
  const mappings = (of: readonly Reservation[]) => of.map(({ mapping }) => mapping);
  await pluginOf(context, network).publish(
    network.spec, endpoint.spec, mappings(reservations), mappings(instead));
}

/** Tries everything; what fails is told, for the caller has a reason of its own to tell. */
async function revert(edit: Edit): Promise<void> {
  const { context, ports, before, after } = edit;
  const fresh = missingFrom(before, after);
  const undo = async (): Promise<void> => {
    await publish(edit, before, after);
    for (const { mapping } of fresh) await drop(ports, mapping);
    for (const { mapping } of aimedAnew(after, before)) {
      await unlessGone(ports.aim(placeOf(mapping), context.ports.forwardOf(mapping)));
    }
    await note(edit, []);
  };
  await undo().catch((error: unknown) => {
    context.warn(`ports of ${edit.endpoint.spec.containerId} are in disorder: ${String(error)}`);
  });
  context.ports.free(fresh);
}

const placeOf = ({ protocol, hostIp, hostPort }: PortMapping): Place =>
  ({ protocol, address: hostIp, port: hostPort });

function drop(ports: TaskPorts, mapping: PortMapping): Promise<void> {
  return unlessGone(ports.drop(placeOf(mapping)));
}

/** A shim that has ended holds nothing; ENOENT is a port that it never got. */
async function unlessGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const isGone = error instanceof ErrnoError &&
      ['ENOENT', 'ESRCH', 'EPIPE', 'ECONNREFUSED', 'ENOSYS'].includes(error.code);
    if (!isGone) throw error;
  }
}

/** What a shim says, for who asked. */
function inWords(error: unknown): unknown {
  if (!(error instanceof ErrnoError)) return error;
  if (error.code === 'ENOSYS') {
    return conflict('it was started by an older version: its ports change with a restart', error);
  }
  const hasEnded = ['ESRCH', 'EPIPE', 'ECONNREFUSED', 'ENOENT'].includes(error.code);
  return hasEnded ? conflict('the container has ended meanwhile', error) : error;
}
