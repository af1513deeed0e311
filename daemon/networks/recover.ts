/** After a restart of the daemon: records and kernel are made to agree with the live containers. */
import type { NetworkPlugin } from '../../netplugins/plugin.js';
import type { Sandbox } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import type { TaskPorts } from '../runtime/task.js';
import type { Statement } from '../store/store.js';
import { networkMode, sandboxView } from './allocate.js';
import { portEndpoint } from './publish.js';
import { networkOf, type Context } from './context.js';
import { finishEdit } from './edit-ports.js';
import { resumeDns } from './embedded-dns.js';
import { dropSandbox, freeAddresses, type SandboxRecord } from './records.js';

interface LiveContainer {
  readonly record: ContainerRecord;
  readonly pid: number;
  readonly ports: TaskPorts;
}

/** Adopts what is live, forgets the rest, and gives the sandbox of each live container. */
export async function recover(
  context: Context,
  live: readonly LiveContainer[],
): Promise<ReadonlyMap<string, Sandbox>> {
  const pids = new Map(live.map(({ record, pid }) => [record.id, pid]));
  const { kept: found, gone } = readSandboxes(context, pids);
  const shims = new Map(live.map(({ record, ports }) => [record.id, ports]));
  const kept = await Promise.all(found.map((sandbox) => {
    const ports = shims.get(sandbox.containerId);
    return ports === undefined ? Promise.resolve(sandbox) : finishEdit(context, sandbox, ports);
  }));
  for (const sandbox of kept) {
    context.book.putSandbox(sandbox);
    context.held.set(sandbox.id, {
      reservations: context.ports.adopt(sandbox.ports),
      recorded: Promise.resolve(),
      published: Promise.resolve(),
    });
  }
  await forget(context, kept, gone);
  await reconcileDrivers(context, kept);
  await Promise.all(kept.map(async (sandbox) => {
    const pid = pids.get(sandbox.containerId);
    const ports = shims.get(sandbox.containerId);
    if (sandbox.dnsServers === undefined || pid === undefined || ports === undefined) return;
    await resumeDns(context, sandbox.id, { pid, ports }).catch((error: unknown) => {
      context.warn(`no DNS for ${sandbox.containerId.slice(0, 12)}: ${String(error)}`);
    });
  }));
  const views = new Map(kept.map((s) => [s.containerId, sandboxView(context, s)]));
  return new Map([...views, ...joinedViews(context, live, views)]);
}

function readSandboxes(context: Context, pids: ReadonlyMap<string, number>) {
  const kept: SandboxRecord[] = [];
  const gone: string[] = [];
  const rows = context.store.rows<{ record: string }>('SELECT record FROM sandboxes');
  for (const { record } of rows) {
    // Only `saveSandbox` writes these documents.
    const sandbox = JSON.parse(record) as SandboxRecord;
    const isWhole = sandbox.endpoints.every((e) => context.book.get(e.networkId) !== undefined);
    if (pids.has(sandbox.containerId) && isWhole) kept.push(sandbox);
    else gone.push(sandbox.id);
  }
  return { kept, gone };
}

/** Rows of lives that ended while nobody looked; their links go in `reconcile`. */
async function forget(
  context: Context,
  kept: readonly SandboxRecord[],
  gone: readonly string[],
): Promise<void> {
  const known = new Set(kept.flatMap((s) => s.endpoints.map(({ spec }) => spec.id)));
  const strays = context.book.strayEndpoints(known);
  const statements: Statement[] = [
    ...gone.map(dropSandbox), ...strays.map(({ endpointId }) => freeAddresses(endpointId)),
  ];
  if (statements.length > 0) await context.store.commit(statements, 'normal');
  for (const { networkId, endpointId } of strays) context.book.freeAddresses(networkId, endpointId);
}

async function reconcileDrivers(
  context: Context,
  kept: readonly SandboxRecord[],
): Promise<void> {
  for (const plugin of context.plugins.values()) {
    const networks = context.book.all()
      .filter(({ spec, configOnly }) => spec.driver === plugin.name && !configOnly)
      .map(({ spec }) => spec);
    const told = await plugin.reconcile({ networks, endpoints: seats(context, plugin, kept) });
    for (const message of told) context.warn(message);
  }
}

function seats(context: Context, plugin: NetworkPlugin, kept: readonly SandboxRecord[]) {
  return kept.flatMap((sandbox) => {
    const published = portEndpoint(sandbox.endpoints);
    return sandbox.endpoints
      .map((endpoint) => ({
        network: networkOf(context, endpoint).spec,
        endpoint: endpoint.spec,
        ports: endpoint === published ? sandbox.ports : [],
      }))
      .filter(({ network }) => network.driver === plugin.name);
  });
}

/** `container:` modes have no row: they are as their target is. */
function joinedViews(
  context: Context,
  live: readonly LiveContainer[],
  views: ReadonlyMap<string, Sandbox>,
): readonly (readonly [string, Sandbox])[] {
  return live.flatMap(({ record, pid }) => {
    const mode = networkMode(record);
    if (!mode.startsWith('container:')) return [];
    const target = context.containers.find(mode.slice('container:'.length)).record;
    const view = views.get(target.id);
    if (view === undefined) return [];
    const joined: Sandbox = {
      ...view, id: record.id, kind: 'joined', joinPid: pid, endpoints: {}, ports: {},
      reservations: [],
    };
    return [[record.id, joined] as const];
  });
}
