import type { SystemInfo } from '../../api-spec/system.js';
import type { Call, Command } from '../command.js';
import type { Heard } from '../engine/heard.js';
import { CommandError, messageOf } from '../errors.js';
import { flag } from '../flags.js';
import { renderOne } from '../format/list.js';
import { humanBinarySize } from '../units.js';
import { clientVersion } from '../version.js';

/** `info`: facts about the engine and its machine. */
export const infoCommand: Command = {
  use: 'info [OPTIONS]',
  about: 'Show facts about the engine',
  flags: [flag('text', 'format', 'How to show it: json, or a Go template', { short: 'f' })],
  operands: [0, 0],
  run: info,
};

async function info({ engine, flags, print, complain }: Call): Promise<void> {
  const format = flags.text('format');
  const head = [
    'Client:',
    ` Version:    ${clientVersion}`,
    ' Context:    default',
    ' Debug Mode: false',
    '',
    'Server:',
  ];
  let found: Heard<SystemInfo>;
  try {
    found = await engine.json<Heard<SystemInfo>>('GET', '/info');
  } catch (problem) {
    if (format === '') print(`${head.join('\n')}\n`);
    const more = format === '' ? '\nerrors pretty printing info' : '';
    throw new CommandError(messageOf(problem) + more, 1, { cause: problem });
  }
  if (format !== '') {
    const client = { Debug: false, Version: clientVersion, Context: 'default' };
    print(renderOne({ ...found, ClientInfo: { ...client, Plugins: [], Warnings: null } }, format));
    return;
  }
  const parts = [
    counts, storage, plugins, devices, swarmAndRuntimes, security, machine, registries, rest,
  ];
  print(`${[...head, ...parts.flatMap((part) => part(found))].join('\n')}\n\n`);
  for (const warning of found.Warnings ?? []) complain(`${warning}\n`);
}

type Part = (found: Heard<SystemInfo>) => readonly string[];

const counts: Part = (found) => [
  ` Containers: ${found.Containers}`,
  `  Running: ${found.ContainersRunning}`,
  `  Paused: ${found.ContainersPaused}`,
  `  Stopped: ${found.ContainersStopped}`,
  ` Images: ${found.Images}`,
  ...named(' Server Version', found.ServerVersion),
];

const storage: Part = (found) => [
  ` Storage Driver: ${found.Driver}`,
  ...(found.DriverStatus ?? []).map(([name = '', value = '']) => `  ${name}: ${value}`),
  ...named(' Logging Driver', found.LoggingDriver),
  ...named(' Cgroup Driver', found.CgroupDriver),
  ...named(' Cgroup Version', found.CgroupVersion),
];

const plugins: Part = ({ Plugins }) => [
  ' Plugins:',
  `  Volume: ${(Plugins?.Volume ?? []).join(' ')}`,
  `  Network: ${(Plugins?.Network ?? []).join(' ')}`,
  ...named('  Authorization', (Plugins?.Authorization ?? []).join(' ')),
  `  Log: ${(Plugins?.Log ?? []).join(' ')}`,
];

const devices: Part = ({ CDISpecDirs, DiscoveredDevices }) => [
  ...listed(' CDI spec directories:', (CDISpecDirs ?? []).map((dir) => `  ${dir}`)),
  ...listed(
    ' Discovered Devices:',
    (DiscoveredDevices ?? []).map(({ Source, ID }) => `  ${Source}: ${ID}`),
  ),
];

const swarmAndRuntimes: Part = (found) => [
  ` Swarm: ${found.Swarm?.LocalNodeState ?? 'inactive'}`,
  ` Runtimes: ${Object.keys(found.Runtimes ?? {}).sort().join(' ')}`,
  ` Default Runtime: ${found.DefaultRuntime}`,
  ` Init Binary: ${found.InitBinary}`,
  ` containerd version: ${found.ContainerdCommit?.ID ?? ''}`,
  ` runc version: ${found.RuncCommit?.ID ?? ''}`,
  ` init version: ${found.InitCommit?.ID ?? ''}`,
];

const security: Part = ({ SecurityOptions }) => {
  const options = SecurityOptions ?? [];
  if (options.length === 0) return [];
  const lines = options.flatMap((option) => {
    const pairs = option.split(',').map((pair) => pair.split('='));
    const name = pairs.find(([key]) => key === 'name')?.[1] ?? option;
    const others = pairs.filter(([key]) => key !== 'name');
    return [
      `  ${name}`,
      ...others.map(([key = '', value = '']) => `   ${capital(key)}: ${value}`),
    ];
  });
  return [' Security Options:', ...lines];
};

const machine: Part = (found) => [
  ...named(' Kernel Version', found.KernelVersion),
  ...named(' Operating System', found.OperatingSystem),
  ...named(' OSType', found.OSType),
  ...named(' Architecture', found.Architecture),
  ` CPUs: ${found.NCPU}`,
  ` Total Memory: ${humanBinarySize(found.MemTotal)}`,
  ...named(' Name', found.Name),
  ...named(' ID', found.ID),
  ` Docker Root Dir: ${found.DockerRootDir}`,
  ` Debug Mode: ${found.Debug}`,
  ...named(' HTTP Proxy', found.HttpProxy),
  ...named(' HTTPS Proxy', found.HttpsProxy),
  ...named(' No Proxy', found.NoProxy),
  ...listed(' Labels:', (found.Labels ?? []).map((label) => `  ${label}`)),
  ` Experimental: ${found.ExperimentalBuild}`,
];

const registries: Part = ({ RegistryConfig }) => {
  const insecure = [
    ...Object.values(RegistryConfig?.IndexConfigs ?? {})
      .filter(({ Secure }) => !Secure)
      .map(({ Name }) => Name),
    ...(RegistryConfig?.InsecureRegistryCIDRs ?? []),
  ];
  const mirrors = RegistryConfig?.Mirrors ?? [];
  return [
    ...listed(' Insecure Registries:', insecure.map((each) => `  ${each}`)),
    ...listed(' Registry Mirrors:', mirrors.map((each) => `  ${each}`)),
  ];
};

const rest: Part = (found) => [
  ` Live Restore Enabled: ${found.LiveRestoreEnabled}`,
  ...listed(
    ' Default Address Pools:',
    (found.DefaultAddressPools ?? []).map(({ Base, Size }) => `   Base: ${Base}, Size: ${Size}`),
  ),
];

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Lines below a heading; no lines have no heading. */
function listed(heading: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [heading, ...lines];
}

/** A line for what is known; an empty value has none. */
function named(name: string, value: string | undefined): readonly string[] {
  return value === undefined || value === '' ? [] : [`${name}: ${value}`];
}
