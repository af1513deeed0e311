import type { Command } from './command.js';
import { flag, type Flag } from './flags.js';

/** A command that is loaded when it is called, or a group of more. */
export type CommandEntry =
  | { readonly about: string; readonly load: () => Promise<Command> }
  | CommandTree;

/** A group of commands, or the whole program. */
export interface CommandTree {
  readonly about: string;
  readonly commands: Readonly<Record<string, CommandEntry>>;
  /** Flags that stand before the command: the program itself has some. */
  readonly flags?: readonly Flag[];
}

type Load = () => Promise<Command>;

const container = {
  attach: leaf(
    'Join the streams of a running container',
    async () => (await import('./container/attach.js')).attachCommand,
  ),
  commit: leaf(
    "Make an image of a container's changes",
    async () => (await import('./container/keep.js')).commitCommand,
  ),
  cp: leaf(
    'Copy files between a container and this machine',
    async () => (await import('./container/copy.js')).copyCommand,
  ),
  create: leaf(
    'Make a container without starting it',
    async () => (await import('./container/create.js')).createCommand,
  ),
  diff: leaf(
    "Show what changed in a container's files",
    async () => (await import('./container/look.js')).diffCommand,
  ),
  exec: leaf(
    'Run a command in a running container',
    async () => (await import('./container/exec.js')).execCommand,
  ),
  export: leaf(
    "Write a container's files to a tar archive",
    async () => (await import('./container/keep.js')).exportCommand,
  ),
  inspect: leaf(
    'Show containers in full',
    async () => (await import('./system/inspect.js')).inspectContainerCommand,
  ),
  kill: leaf(
    'Send a signal to containers',
    async () => (await import('./container/change.js')).killCommand,
  ),
  logs: leaf(
    'Show what a container printed',
    async () => (await import('./container/logs.js')).logsCommand,
  ),
  ls: leaf(
    'List containers',
    async () => (await import('./container/list.js')).listCommand,
  ),
  pause: leaf(
    'Freeze containers',
    async () => (await import('./container/change.js')).pauseCommand,
  ),
  port: leaf(
    'Show the published ports of a container',
    async () => (await import('./container/look.js')).portCommand,
  ),
  prune: leaf(
    'Remove all stopped containers',
    async () => (await import('./system/prune.js')).pruneContainersCommand,
  ),
  rename: leaf(
    'Give a container another name',
    async () => (await import('./container/change.js')).renameCommand,
  ),
  restart: leaf(
    'Stop and start containers',
    async () => (await import('./container/change.js')).restartCommand,
  ),
  rm: leaf(
    'Remove containers',
    async () => (await import('./container/change.js')).removeCommand,
  ),
  run: leaf(
    'Make a container and start it',
    async () => (await import('./container/run.js')).runCommand,
  ),
  start: leaf(
    'Start stopped containers',
    async () => (await import('./container/start.js')).startCommand,
  ),
  stats: leaf(
    'Show what containers use',
    async () => (await import('./container/stats.js')).statsCommand,
  ),
  stop: leaf(
    'Stop containers',
    async () => (await import('./container/change.js')).stopCommand,
  ),
  top: leaf(
    'Show the processes of a container',
    async () => (await import('./container/look.js')).topCommand,
  ),
  unpause: leaf(
    'Thaw containers',
    async () => (await import('./container/change.js')).unpauseCommand,
  ),
  update: leaf(
    'Change containers, running ones too, without a restart',
    async () => (await import('./container/update.js')).updateCommand,
  ),
  wait: leaf(
    'Wait until containers stop and print their exit codes',
    async () => (await import('./container/change.js')).waitCommand,
  ),
};

const image = {
  build: leaf(
    'Build an image from a Dockerfile',
    async () => (await import('./image/build.js')).buildCommand,
  ),
  history: leaf(
    'Show how an image was made',
    async () => (await import('./image/history.js')).historyCommand,
  ),
  import: leaf(
    'Make an image from a tar of a file system',
    async () => (await import('./image/archive.js')).importCommand,
  ),
  inspect: leaf(
    'Show images in full',
    async () => (await import('./system/inspect.js')).inspectImageCommand,
  ),
  load: leaf(
    'Load images from a tar archive',
    async () => (await import('./image/archive.js')).loadCommand,
  ),
  ls: leaf(
    'List images',
    async () => (await import('./image/list.js')).imagesCommand,
  ),
  prune: leaf(
    'Remove unused images',
    async () => (await import('./system/prune.js')).pruneImagesCommand,
  ),
  pull: leaf(
    'Fetch an image from a registry',
    async () => (await import('./image/pull.js')).pullCommand,
  ),
  push: leaf(
    'Send an image to a registry',
    async () => (await import('./image/push.js')).pushCommand,
  ),
  rm: leaf(
    'Remove images',
    async () => (await import('./image/change.js')).removeImageCommand,
  ),
  save: leaf(
    'Write images to a tar archive',
    async () => (await import('./image/archive.js')).saveCommand,
  ),
  tag: leaf(
    'Give an image one more name',
    async () => (await import('./image/change.js')).tagCommand,
  ),
};

const network = {
  connect: leaf(
    'Connect a container to a network',
    async () => (await import('./network/change.js')).connectCommand,
  ),
  create: leaf(
    'Make a network',
    async () => (await import('./network/create.js')).createNetworkCommand,
  ),
  disconnect: leaf(
    'Disconnect a container from a network',
    async () => (await import('./network/change.js')).disconnectCommand,
  ),
  inspect: leaf(
    'Show networks in full',
    async () => (await import('./system/inspect.js')).inspectNetworkCommand,
  ),
  ls: leaf(
    'List networks',
    async () => (await import('./network/list.js')).networksCommand,
  ),
  prune: leaf(
    'Remove unused networks',
    async () => (await import('./system/prune.js')).pruneNetworksCommand,
  ),
  rm: leaf(
    'Remove networks',
    async () => (await import('./network/change.js')).removeNetworkCommand,
  ),
};

const volume = {
  create: leaf(
    'Make a volume',
    async () => (await import('./volume/volume.js')).createVolumeCommand,
  ),
  inspect: leaf(
    'Show volumes in full',
    async () => (await import('./system/inspect.js')).inspectVolumeCommand,
  ),
  ls: leaf(
    'List volumes',
    async () => (await import('./volume/volume.js')).volumesCommand,
  ),
  prune: leaf(
    'Remove unused volumes',
    async () => (await import('./system/prune.js')).pruneVolumesCommand,
  ),
  rm: leaf(
    'Remove volumes',
    async () => (await import('./volume/volume.js')).removeVolumeCommand,
  ),
};

const system = {
  df: leaf(
    'Show how much disk space is used',
    async () => (await import('./system/disk.js')).diskCommand,
  ),
  'dial-stdio': leaf(
    'Carry the API over standard input and output',
    async () => (await import('./system/dial.js')).dialCommand,
  ),
  events: leaf(
    'Show events as they happen',
    async () => (await import('./system/events.js')).eventsCommand,
  ),
  info: leaf(
    'Show facts about the engine',
    async () => (await import('./system/info.js')).infoCommand,
  ),
  prune: leaf(
    'Remove what is not used',
    async () => (await import('./system/prune.js')).pruneSystemCommand,
  ),
};

/** Without `container` before them, these mean something else or nothing. */
const groupOnly = new Set(['prune', 'ls', 'inspect']);
const containerVerbs = Object.fromEntries(
  Object.entries(container).filter(([name]) => !groupOnly.has(name)),
);

/** All that the program can do. The short forms come first, as people use them most. */
export const program: CommandTree = {
  about: 'A container engine that speaks the Docker API: the client',
  flags: globalFlags(),
  commands: {
    ...containerVerbs,
    ps: container.ls,
    build: image.build,
    images: image.ls,
    history: image.history,
    import: image.import,
    load: image.load,
    login: leaf(
      'Log in to a registry',
      async () => (await import('./system/login.js')).loginCommand,
    ),
    logout: leaf(
      'Log out of a registry',
      async () => (await import('./system/login.js')).logoutCommand,
    ),
    pull: image.pull,
    push: image.push,
    rmi: image.rm,
    save: image.save,
    search: leaf(
      'Search a registry for images',
      async () => (await import('./image/search.js')).searchCommand,
    ),
    tag: image.tag,
    events: system.events,
    info: system.info,
    inspect: leaf(
      'Show any objects in full',
      async () => (await import('./system/inspect.js')).inspectCommand,
    ),
    version: leaf(
      'Show the versions of client and engine',
      async () => (await import('./system/version.js')).versionCommand,
    ),
    builder: group('Builds', {
      build: image.build,
      prune: leaf(
        'Remove what builds left in the cache',
        async () => (await import('./system/prune.js')).pruneBuilderCommand,
      ),
    }),
    container: group('Containers', {
      ...container,
      ...aliases(container, { list: 'ls', ps: 'ls', remove: 'rm' }),
    }),
    image: group('Images', {
      ...image,
      ...aliases(image, { list: 'ls', remove: 'rm' }),
    }),
    network: group('Networks', {
      ...network,
      ...aliases(network, { list: 'ls', remove: 'rm' }),
    }),
    volume: group('Volumes', {
      ...volume,
      ...aliases(volume, { list: 'ls', remove: 'rm' }),
    }),
    system: group('The engine', system),
  },
};

function leaf(about: string, load: Load): { readonly about: string; readonly load: Load } {
  return { about, load };
}

function group(about: string, commands: Readonly<Record<string, CommandEntry>>): CommandTree {
  return { about, commands };
}

/** Second names are not listed in help: their `about` is empty. */
function aliases(
  commands: Readonly<Record<string, { readonly about: string; readonly load: Load }>>,
  names: Readonly<Record<string, string>>,
): Readonly<Record<string, CommandEntry>> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([alias, name]) => {
      const target = commands[name];
      return target === undefined ? [] : [[alias, leaf('', target.load)]];
    }),
  );
}

function globalFlags(): readonly Flag[] {
  return [
    flag('text', 'config', 'Folder of config.json'),
    flag('text', 'context', 'Accepted for compatibility; only "default" exists', { short: 'c' }),
    flag('switch', 'debug', 'Show the stack of an error', { short: 'D' }),
    flag('list', 'host', 'Socket of the engine: unix:///path or tcp://host:port', { short: 'H' }),
    flag('text', 'log-level', 'Accepted for compatibility', { short: 'l', otherwise: 'info' }),
    flag('switch', 'tls', 'Use TLS'),
    flag('text', 'tlscacert', 'Trust only certificates signed by this one'),
    flag('text', 'tlscert', "The client's certificate"),
    flag('text', 'tlskey', "The client's key"),
    flag('switch', 'tlsverify', 'Use TLS and verify the engine'),
    flag('switch', 'version', 'Print the version and leave', { short: 'v' }),
  ];
}
