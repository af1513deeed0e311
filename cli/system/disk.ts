import type { ContainerSummary } from '../../api-spec/container.js';
import type { BuildCache, SystemDataUsageResponse } from '../../api-spec/system.js';
import type { Call, Command } from '../command.js';
import { containerShape, formatFlag } from '../container/list.js';
import type { Heard } from '../engine/heard.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';
import { renderList, type ListShape } from '../format/list.js';
import { imageRows, imageShape } from '../image/list.js';
import { humanSize } from '../units.js';
import { volumeShape } from '../volume/volume.js';

/** One kind of thing and the space that it takes. */
interface Usage {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly sizeBytes: number;
  readonly reclaimableBytes: number;
  /** Docker shows no share for the build cache. */
  readonly showsShare: boolean;
}

/** `system df`: disk space by kind, or by object with `-v`. */
export const diskCommand: Command = {
  use: 'df [OPTIONS]',
  about: 'Show how much disk space is used',
  flags: [formatFlag, flag('switch', 'verbose', 'Each object', { short: 'v' })],
  operands: [0, 0],
  run: disk,
};

async function disk({ engine, flags, print }: Call): Promise<void> {
  const usage = await engine.json<Heard<SystemDataUsageResponse>>('GET', '/system/df');
  const format = flags.text('format');
  if (!flags.switch('verbose')) {
    print(renderList(summary(usage), usageShape, { format, quiet: false }));
    return;
  }
  if (format !== '') throw new CommandError('the verbose list has no --format');
  print(verbose(usage));
}

function summary({ LayersSize = 0, ...usage }: Heard<SystemDataUsageResponse>): readonly Usage[] {
  const images = usage.Images ?? [];
  const containers = usage.Containers ?? [];
  const volumes = usage.Volumes ?? [];
  const cache = usage.BuildCache ?? [];
  const usedImages = images.filter(({ Containers }) => Containers > 0);
  const usedBytes = sum(usedImages, ({ Size, SharedSize }) =>
    Size === -1 || SharedSize === -1 ? 0 : Size - SharedSize,
  );
  const isLive = ({ State }: Heard<ContainerSummary>): boolean =>
    ['running', 'paused', 'restarting'].includes(State);
  const idle = containers.filter((each) => !isLive(each));
  const freeVolumes = volumes.filter(({ UsageData }) => UsageData?.RefCount === 0);
  const usedVolumes = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0);
  const own = ({ SizeRw = 0 }: Heard<ContainerSummary>): number => SizeRw;
  const cacheBytes = sum(cache, ({ Shared, Size }) => (Shared ? 0 : Size));
  const usedCache = sum(cache, ({ InUse, Shared, Size }) => (InUse && !Shared ? Size : 0));
  return [
    row('Images', images.length, usedImages.length, [LayersSize, LayersSize - usedBytes]),
    row(
      'Containers',
      containers.length,
      containers.length - idle.length,
      [sum(containers, own), sum(idle, own)],
    ),
    row('Local Volumes', volumes.length, usedVolumes.length, [
      sum(volumes, volumeBytes),
      sum(freeVolumes, volumeBytes),
    ]),
    {
      ...row(
        'Build Cache',
        cache.length,
        cache.filter(({ InUse }) => InUse).length,
        [cacheBytes, cacheBytes - usedCache],
      ),
      showsShare: false,
    },
  ];
}

function row(
  type: string,
  total: number,
  active: number,
  [sizeBytes, reclaimableBytes]: readonly [number, number],
): Usage {
  return { type, total, active, sizeBytes, reclaimableBytes, showsShare: true };
}

function volumeBytes(
  { UsageData }: { readonly UsageData?: { readonly Size: number } | null | undefined },
): number {
  return Math.max(UsageData?.Size ?? 0, 0);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

const usageShape: ListShape<Usage> = {
  table: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
  quiet: '{{.Type}}',
  goType: '*formatter.diskUsageContext',
  columns: {
    Type: { heading: 'TYPE', of: ({ type }) => type },
    TotalCount: { heading: 'TOTAL', of: ({ total }) => String(total) },
    Active: { heading: 'ACTIVE', of: ({ active }) => String(active) },
    Size: { heading: 'SIZE', of: ({ sizeBytes }) => humanSize(sizeBytes) },
    Reclaimable: { heading: 'RECLAIMABLE', of: reclaimable },
  },
};

function reclaimable({ sizeBytes, reclaimableBytes, showsShare }: Usage): string {
  const text = humanSize(reclaimableBytes);
  if (!showsShare || sizeBytes <= 0) return text;
  return `${text} (${Math.trunc((reclaimableBytes * 100) / sizeBytes)}%)`;
}

const cacheShape: ListShape<Heard<BuildCache>> = {
  table:
    '{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t' +
    '{{.UsageCount}}\t{{.Shared}}',
  quiet: '{{.ID}}',
  goType: '*formatter.buildCacheContext',
  columns: {
    ID: { heading: 'CACHE ID', of: ({ ID, InUse }) => `${ID.slice(0, 12)}${InUse ? '*' : ''}` },
    CacheType: { heading: 'CACHE TYPE', of: ({ Type }) => Type },
    Size: { heading: 'SIZE', of: ({ Size }) => humanSize(Size, 3) },
    CreatedSince: { heading: 'CREATED', of: ({ CreatedAt }) => CreatedAt },
    LastUsedSince: { heading: 'LAST USED', of: ({ LastUsedAt }) => LastUsedAt ?? '' },
    UsageCount: { heading: 'USAGE', of: ({ UsageCount }) => String(UsageCount) },
    Shared: { heading: 'SHARED', of: ({ Shared }) => String(Shared) },
  },
};

function verbose(usage: Heard<SystemDataUsageResponse>): string {
  const wish = { format: '', quiet: false };
  const images = {
    ...imageShape(true),
    table:
      '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t' +
      '{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
  };
  const containers = {
    ...containerShape(true),
    table:
      '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t' +
      '{{.RunningFor}}\t{{.Status}}\t{{.Names}}',
  };
  const volumes = { ...volumeShape, table: '{{.Name}}\t{{.Links}}\t{{.Size}}' };
  const cache = usage.BuildCache ?? [];
  const cacheBytes = sum(cache, ({ Shared, Size }) => (Shared ? 0 : Size));
  const imageLines = (usage.Images ?? []).flatMap((image) => imageRows(image, false));
  // The whole size is not shown here: only what each container has of its own.
  const bare = (usage.Containers ?? []).map((each) => ({ ...each, SizeRootFs: 0 }));
  return [
    `Images space usage:\n\n${renderList(imageLines, images, wish)}`,
    `Containers space usage:\n\n${renderList(bare, containers, wish)}`,
    `Local Volumes space usage:\n\n${renderList(usage.Volumes ?? [], volumes, wish)}`,
    `Build cache usage: ${humanSize(cacheBytes)}\n\n${renderList(cache, cacheShape, wish)}`,
  ].join('\n');
}
