import { createInterface } from 'node:readline/promises';
import type {
  BuildPruneResponse,
  ContainerPruneResponse,
  ImagePruneResponse,
  NetworkPruneResponse,
  VolumePruneResponse,
} from '../../api-spec/prune.js';
import type { Call, Command } from '../command.js';
import { filtersParameter } from '../engine/filters.js';
import { EngineError } from '../engine/engine.js';
import { flag } from '../flags.js';
import { humanSize } from '../units.js';

const common = [
  flag('list', 'filter', 'Only those that match (key=value)', { takes: 'filter' }),
  flag('switch', 'force', 'Do not ask', { short: 'f' }),
];

/** What a prune removed: the text that tells it, and the bytes that it freed. */
interface Pruned {
  readonly text: string;
  readonly reclaimedBytes: number;
}

const anonymousVolumes = '  - all anonymous volumes not used by at least one container';

type Filters = Readonly<Record<string, readonly string[]>>;

/** `container prune`. */
export const pruneContainersCommand = prune({
  about: 'Remove all stopped containers',
  flags: common,
  warning: () => 'This will remove all stopped containers.',
  act: (call) => pruneContainers(call),
});

/** `image prune`. */
export const pruneImagesCommand = prune({
  about: 'Remove unused images',
  flags: [flag('switch', 'all', 'Those with a name too', { short: 'a' }), ...common],
  warning: ({ flags }) =>
    flags.switch('all')
      ? 'This will remove all images without at least one container associated to them.'
      : 'This will remove all dangling images.',
  act: (call) => pruneImages(call),
});

/** `volume prune`. */
export const pruneVolumesCommand = prune({
  about: 'Remove unused volumes',
  flags: [flag('switch', 'all', 'Those with a name too', { short: 'a' }), ...common],
  warning: ({ flags }) =>
    flags.switch('all')
      ? 'This will remove all local volumes not used by at least one container.'
      : 'This will remove anonymous local volumes not used by at least one container.',
  act: (call) => pruneVolumes(call, call.flags.switch('all')),
});

/** `network prune`: frees no space, and says none. */
export const pruneNetworksCommand = prune({
  about: 'Remove unused networks',
  flags: common,
  warning: () => 'This will remove all custom networks not used by at least one container.',
  act: (call) => pruneNetworks(call),
  showsSpace: false,
});

/** `builder prune`. */
export const pruneBuilderCommand = prune({
  about: 'Remove what builds left in the cache',
  flags: [
    flag('switch', 'all', 'What images still stand on too', { short: 'a' }),
    flag('size', 'keep-storage', 'Leave this much of the cache'),
    ...common,
  ],
  warning: ({ flags }) =>
    flags.switch('all')
      ? 'This will remove all build cache.'
      : 'This will remove all dangling build cache.',
  act: (call) => pruneBuilds(call),
});

/** `system prune`: all of the above, the unused build cache too. */
export const pruneSystemCommand = prune({
  about: 'Remove what is not used',
  flags: [
    flag('switch', 'all', 'All unused images, not only those without a name', { short: 'a' }),
    ...common,
    flag('switch', 'volumes', 'Anonymous volumes too'),
  ],
  warning: ({ flags }) =>
    [
      'This will remove:',
      '  - all stopped containers',
      '  - all networks not used by at least one container',
      ...(
        flags.switch('volumes') ? [anonymousVolumes] : []
      ),
      flags.switch('all')
        ? '  - all images without at least one container associated to them'
        : '  - all dangling images',
      flags.switch('all') ? '  - all build cache' : '  - unused build cache',
      '',
    ].join('\n'),
  act: pruneSystem,
});

interface PruneShape {
  readonly about: string;
  readonly flags: Command['flags'];
  readonly warning: (call: Call) => string;
  readonly act: (call: Call) => Promise<Pruned>;
  readonly showsSpace?: boolean;
}

function prune({ about, flags, warning, act, showsSpace = true }: PruneShape): Command {
  return {
    use: 'prune [OPTIONS]',
    about,
    flags,
    operands: [0, 0],
    run: async (call) => {
      if (!call.flags.switch('force') && !(await isAgreed(call, warning(call)))) return;
      const { text, reclaimedBytes } = await act(call);
      if (text !== '') call.print(text);
      if (showsSpace) call.print(`Total reclaimed space: ${humanSize(reclaimedBytes)}\n`);
    },
  };
}

async function isAgreed(call: Call, warning: string): Promise<boolean> {
  call.print(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  const reader = createInterface({ input: process.stdin });
  // The end of the input is a no.
  const ended = new Promise<string>((resolve) => reader.once('close', () => resolve('')));
  const answer = await Promise.race([reader.question(''), ended]);
  reader.close();
  return /^y(es)?$/i.test(answer.trim());
}

function ask<T>({ engine, flags }: Call, path: string, more: Filters = {}): Promise<T> {
  const filters = filtersParameter(flags.list('filter'), more);
  return engine.json<T>('POST', path, { query: { filters } });
}

function listText(heading: string, names: readonly string[] | null | undefined): string {
  if (names === null || names === undefined || names.length === 0) return '';
  return `${heading}:\n${names.map((name) => `${name}\n`).join('')}\n`;
}

async function pruneContainers(call: Call): Promise<Pruned> {
  const done = await ask<ContainerPruneResponse>(call, '/containers/prune');
  const text = listText('Deleted Containers', done.ContainersDeleted);
  return { text, reclaimedBytes: done.SpaceReclaimed };
}

async function pruneImages(call: Call): Promise<Pruned> {
  const dangling = String(!call.flags.switch('all'));
  const done = await ask<ImagePruneResponse>(call, '/images/prune', { dangling: [dangling] });
  const lines = (done.ImagesDeleted ?? []).map(({ Deleted, Untagged }) =>
    Untagged === undefined ? `deleted: ${Deleted ?? ''}` : `untagged: ${Untagged}`,
  );
  return { text: listText('Deleted Images', lines), reclaimedBytes: done.SpaceReclaimed };
}

async function pruneVolumes(call: Call, all: boolean): Promise<Pruned> {
  const done = await ask<VolumePruneResponse>(call, '/volumes/prune', all ? { all: ['true'] } : {});
  const text = listText('Deleted Volumes', done.VolumesDeleted);
  return { text, reclaimedBytes: done.SpaceReclaimed };
}

async function pruneNetworks(call: Call): Promise<Pruned> {
  const done = await ask<NetworkPruneResponse>(call, '/networks/prune');
  return { text: listText('Deleted Networks', done.NetworksDeleted), reclaimedBytes: 0 };
}

/** An engine without a builder says so: then there is no cache to prune. */
async function pruneBuilds(call: Call): Promise<Pruned> {
  try {
    const { flags } = call;
    const all = flags.switch('all') ? 1 : undefined;
    const keep = flags.isSet('keep-storage') ? flags.number('keep-storage') : undefined;
    const query = { all, 'keep-storage': keep };
    const done = await call.engine.json<BuildPruneResponse>('POST', '/build/prune', { query });
    const text = listText('Deleted build cache objects', done.CachesDeleted);
    return { text, reclaimedBytes: done.SpaceReclaimed };
  } catch (problem) {
    if (problem instanceof EngineError && (problem.status === 404 || problem.status === 501)) {
      return { text: '', reclaimedBytes: 0 };
    }
    throw problem;
  }
}

async function pruneSystem(call: Call): Promise<Pruned> {
  const steps = [pruneContainers, pruneNetworks];
  if (call.flags.switch('volumes')) steps.push((each) => pruneVolumes(each, false));
  steps.push(pruneImages, pruneBuilds);
  let text = '';
  let reclaimedBytes = 0;
  for (const step of steps) {
    const done = await step(call);
    text += done.text;
    reclaimedBytes += done.reclaimedBytes;
  }
  return { text, reclaimedBytes };
}
