import { ApiError, conflict } from '../../api-spec/errors.js';
import type {
  ContainerUpdateBody,
  ContainerUpdateResponse,
  HostConfig,
} from '../../api-spec/index.js';
import type { Container } from './container.js';
import { containerEvent, save } from './context.js';
import type { Context } from './context.js';
import { checkEdit, edited, editedFields, editLog, editPorts } from './edit.js';
import type { ContainerRecord } from './record.js';
import { isLive } from './state.js';
import { checkRestartPolicy } from './validate.js';

/**
 * New limits, another restart policy, other ports, labels and log options, at once and for all
 * later starts; what the body leaves out stays. `ApiError` 400 for what no container may have, 409
 * for what does not go with the rest, and Docker's words for a port that is taken: then nothing
 * has changed.
 */
export async function updateContainer(
  context: Context,
  container: Container,
  body: ContainerUpdateBody,
): Promise<ContainerUpdateResponse> {
  const given = givenOf(body);
  checkRestartPolicy(given.RestartPolicy, false);
  const warnings = [...context.runtime.check({ ...container.record, hostConfig: given })];
  await container.lock.run(async () => {
    const { record } = container;
    refuse(record, given);
    const updated = edited({ ...record, hostConfig: { ...record.hostConfig, ...given } }, body);
    checkEdit(context, record, { updated, body });
    const ports = await editPorts(context, container, { updated, body });
    try {
      if (isLive(record.state)) {
        const changed = new Set(Object.keys(given));
        await prefixed(record.id, () => context.runtime.update(updated, changed));
      }
      const events = [containerEvent(updated, 'update')];
      const also = ports?.statements ?? [];
      await save(context, container, updated, { durability: 'full', events, also });
    } catch (error) {
      await ports?.undo();
      throw error;
    }
    await ports?.done();
    warnings.push(...(await editLog(context, container, body)));
  });
  return { Warnings: warnings.length === 0 ? null : warnings };
}

function refuse(record: ContainerRecord, given: HostConfig): void {
  const { status } = record.state;
  const why = status === 'removing' || status === 'dead'
    ? 'Container is marked for removal and cannot be "update".'
    : clash(record.hostConfig, given);
  if (why !== undefined) throw conflict(`Cannot update container ${record.id}: ${why}`);
}

/** The kernel has dropped its own memory's limit: taken and passed over, as in Docker. */
const passedOver: ReadonlySet<string> = new Set([...editedFields, 'KernelMemory']);

/** Zero and empty say nothing in an update, as in Docker; a limit of processes is lifted by 0. */
function givenOf(body: ContainerUpdateBody): HostConfig {
  const { PidsLimit: pids, RestartPolicy: policy, ...others } = body;
  const isSaid = ([key, value]: readonly [string, unknown]): boolean =>
    !passedOver.has(key) && value !== undefined && value !== 0 && value !== '' && !isEmpty(value);
  return {
    ...Object.fromEntries(Object.entries(others).filter(isSaid)),
    ...(pids === undefined ? {} : { PidsLimit: Math.max(0, pids) }),
    ...(policy?.Name === undefined || policy.Name === '' ? {} : {
          RestartPolicy: { MaximumRetryCount: 0, ...policy },
        }),
  };
}

function isEmpty(value: unknown): boolean {
  return value === false || (Array.isArray(value) && value.length === 0);
}

/** Why the new does not go with what stays, in Docker's words. */
function clash(old: HostConfig, given: HostConfig): string | undefined {
  const { Memory: memory = 0, MemorySwap: swap = 0, NanoCpus: nano = 0 } = given;
  const oldSwap = old.MemorySwap ?? 0;
  const cpu = (what: string, set: string): string =>
    `Conflicting options: ${what} cannot be updated as ${set} has already been set`;
  const reasons: readonly (readonly [boolean, string])[] = [
    [nano > 0 && (old.CpuPeriod ?? 0) > 0, cpu('Nano CPUs', 'CPU Period')],
    [nano > 0 && (old.CpuQuota ?? 0) > 0, cpu('Nano CPUs', 'CPU Quota')],
    [(given.CpuPeriod ?? 0) > 0 && (old.NanoCpus ?? 0) > 0, cpu('CPU Period', 'NanoCPUs')],
    [(given.CpuQuota ?? 0) > 0 && (old.NanoCpus ?? 0) > 0, cpu('CPU Quota', 'NanoCPUs')],
    [
      memory > oldSwap && swap === 0 && oldSwap !== -1,
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap ' +
        'at the same time',
    ],
    [
      given.RestartPolicy !== undefined && old.AutoRemove === true,
      'Restart policy cannot be updated because AutoRemove is enabled for the container',
    ],
  ];
  return reasons.find(([isSo]) => isSo)?.[1];
}

/** What the kernel refuses, with the container's id in front. */
async function prefixed(id: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof ApiError) {
      error.message = `Cannot update container ${id}: ${error.message}`;
    }
    throw error;
  }
}
