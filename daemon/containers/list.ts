import type { ContainerSummary, PortSummary } from '../../api-spec/index.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import { compileFilters } from './filters.js';
import type { Filters } from './filters.js';
import { isLive } from './state.js';
import { shownNetworks } from './inspect.js';
import { statusText } from './status-text.js';

/**
 * Which containers `ps` wants: only live ones unless `all`; `size` asks for a walk of their layers.
 */
export interface ListRequest {
  readonly all: boolean;
  /** The newest so many, whatever their state; 0 or less: no limit. */
  readonly limit: number;
  readonly size: boolean;
  readonly filters: Filters;
}

/** The containers that `ps` shows, newest first. */
export async function listContainers(
  context: Context,
  request: ListRequest,
): Promise<readonly ContainerSummary[]> {
  const passes = compileFilters(request.filters, {
    book: context.book,
    imagesBelow: (name) => context.images.below(name),
  });
  const everyState = request.all || request.limit > 0 || asksForState(request.filters);
  const found = context.book
    .all()
    .filter((container) => (everyState || isShownAsRunning(container)) && passes(container))
    .sort((a, b) => b.record.createdAtMs - a.record.createdAtMs);
  const chosen = request.limit > 0 ? found.slice(0, request.limit) : found;
  const rows = chosen.map((container) => summarize(context, container));
  if (!request.size) return rows;
  return Promise.all(rows.map((row) => withSize(context, row)));
}

function asksForState(filters: Filters): boolean {
  return filters['status'] !== undefined || filters['exited'] !== undefined;
}

function isShownAsRunning({ record }: Container): boolean {
  return isLive(record.state) || record.state.status === 'restarting';
}

/** One row of the list. */
export function summarize(context: Context, container: Container): ContainerSummary {
  const { record } = container;
  const annotations = record.hostConfig.Annotations;
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: imageName(context, container),
    ImageID: record.imageId,
    Command: commandText(record.path, record.args),
    Created: Math.floor(record.createdAtMs / 1000),
    Ports: portRows(container),
    Labels: record.config.Labels ?? {},
    State: record.state.status,
    Status: statusText(record.state, Date.now(), container.health?.status),
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode ?? 'bridge',
      ...(annotations === undefined ? {} : { Annotations: annotations }),
    },
    NetworkSettings: { Networks: shownNetworks(context, container) },
    Mounts: record.mounts,
  };
}

/** The name it was made with, as long as that still means the same image; else the image's id. */
function imageName({ images }: Context, { record }: Container): string {
  return images.idOf(record.imageName) === record.imageId ? record.imageName : record.imageId;
}

function commandText(path: string, args: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

/** Published ports with an address each, then those that are only exposed. */
function portRows({ record, sandbox }: Container): readonly PortSummary[] {
  if (!isLive(record.state)) return [];
  return Object.entries(sandbox?.ports ?? {}).flatMap(([port, bindings]): PortSummary[] => {
    const [number, protocol = 'tcp'] = port.split('/');
    const base = { PrivatePort: Number(number), Type: protocol };
    if (bindings === null || bindings.length === 0) return [base];
    return bindings.map(({ HostIp, HostPort }) => ({
      IP: HostIp,
      ...base,
      PublicPort: Number(HostPort),
    }));
  });
}

async function withSize(
  { rootfs, images }: Context,
  row: ContainerSummary,
): Promise<ContainerSummary> {
  const { sizeBytes } = await rootfs.usage(row.Id);
  return {
    ...row,
    // Docker leaves out a size of nothing.
    ...(sizeBytes === 0 ? {} : { SizeRw: sizeBytes }),
    SizeRootFs: sizeBytes + images.sizeBytes(row.ImageID),
  };
}
