/** Services that do nothing, to be overridden one member at a time. */
import type { Duplex } from 'node:stream';
import { notFound } from '../../api-spec/errors.js';
import type {
  BuilderApi,
  ContainersApi,
  EventsApi,
  ImagesApi,
  NetworksApi,
  Services,
  SystemApi,
  VolumesApi,
} from '../../daemon/http/needs.js';
import type { Conversation } from '../../daemon/http/conversation.js';

/** Overrides, by service. */
export interface Overrides {
  readonly containers?: Partial<ContainersApi>;
  readonly images?: Partial<ImagesApi>;
  readonly builder?: Partial<BuilderApi>;
  readonly volumes?: Partial<VolumesApi>;
  readonly networks?: Partial<NetworksApi>;
  readonly system?: Partial<SystemApi>;
  readonly events?: Partial<EventsApi>;
}

/** Services whose members refuse or are empty, unless overridden. */
export function fakeServices(overrides: Overrides = {}): Services {
  return {
    containers: { ...containers, ...overrides.containers },
    images: { ...images, ...overrides.images },
    builder: { ...builder, ...overrides.builder },
    volumes: { ...volumes, ...overrides.volumes },
    networks: { ...networks, ...overrides.networks },
    system: { ...system, ...overrides.system },
    events: { ...events, ...overrides.events },
  };
}

const noContainer = (id: string): Promise<never> =>
  Promise.reject(notFound(`No such container: ${id}`));

const noExec = (id: string): Promise<never> =>
  Promise.reject(notFound(`No such exec instance: ${id}`));

const containers: ContainersApi = {
  create: () => Promise.resolve({ Id: 'c0ffee', Warnings: [] }),
  list: () => Promise.resolve([]),
  inspect: noContainer,
  start: noContainer,
  stop: noContainer,
  restart: noContainer,
  kill: noContainer,
  wait: noContainer,
  logs: noContainer,
  attach: noContainer,
  resize: noContainer,
  remove: noContainer,
  prune: () => Promise.resolve({ ContainersDeleted: null, SpaceReclaimed: 0 }),
  rename: noContainer,
  pause: noContainer,
  unpause: noContainer,
  update: noContainer,
  top: noContainer,
  stats: noContainer,
  changes: noContainer,
  export: noContainer,
  archiveInfo: noContainer,
  archiveGet: noContainer,
  archivePut: noContainer,
  commit: ({ container }) => noContainer(container),
  execCreate: noContainer,
  execStart: noExec,
  execInspect: noExec,
  execResize: noExec,
};

const builder: BuilderApi = {
  build: () => Promise.resolve(),
  cancel: (id) => Promise.reject(notFound(`no build found with ID ${id}`)),
  prune: () => Promise.resolve({ CachesDeleted: null, SpaceReclaimed: 0 }),
};

const noImage = (name: string): Promise<never> =>
  Promise.reject(notFound(`No such image: ${name}`));

const images: ImagesApi = {
  pull: () => Promise.resolve(),
  push: () => Promise.resolve(),
  search: () => Promise.resolve([]),
  distribution: noImage,
  list: () => Promise.resolve([]),
  inspect: noImage,
  history: noImage,
  tag: noImage,
  remove: noImage,
  load: () => Promise.resolve(),
  import: () => Promise.resolve(),
  save: ([name = '']) => noImage(name),
  prune: () => Promise.resolve({ ImagesDeleted: null, SpaceReclaimed: 0 }),
};

const noVolume = (name: string): Promise<never> =>
  Promise.reject(notFound(`get ${name}: no such volume`));

const volumes: VolumesApi = {
  list: () => Promise.resolve({ Volumes: [], Warnings: null }),
  create: (body) => noVolume(body.Name ?? ''),
  inspect: noVolume,
  remove: noVolume,
  prune: () => Promise.resolve({ VolumesDeleted: null, SpaceReclaimed: 0 }),
};

const noNetwork = (id: string): Promise<never> =>
  Promise.reject(notFound(`network ${id} not found`));

const networks: NetworksApi = {
  list: () => Promise.resolve([]),
  inspect: noNetwork,
  create: () => Promise.resolve({ Id: 'n1', Warning: '' }),
  remove: noNetwork,
  connect: noNetwork,
  disconnect: noNetwork,
  prune: () => Promise.resolve({ NetworksDeleted: null }),
};

const system: SystemApi = {
  version: () => ({
    Platform: { Name: 'tsdocker' },
    Components: [{ Name: 'Engine', Version: '28.0.0' }],
    Version: '28.0.0',
    ApiVersion: '',
    MinAPIVersion: '',
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: 'amd64',
    KernelVersion: '6.1',
    BuildTime: '',
  }),
  info: () => Promise.reject(new Error('no info here')),
  auth: () => Promise.resolve({ Status: 'Login Succeeded', IdentityToken: '' }),
  dataUsage: () => Promise.resolve({}),
};

const events: EventsApi = {
  subscribe: async function* () {
    // Nothing happens.
  },
};

/** A conversation that is what `run` makes of it. */
export function conversation(
  run: (client: Duplex, signal: AbortSignal) => Promise<void>,
  tty = false,
): Conversation {
  return {
    tty,
    run,
    abandon: () => {
      // Nothing was begun.
    },
  };
}
