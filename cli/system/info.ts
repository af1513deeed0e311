import type { SystemInfo } from '../../api-spec/system.js';
import type { Call, Command } from '../command.js';
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
  const head = ['Client:', ` Version:    ${clientVersion}`, ' Context:    default', ' Debug Mode: false', '', 'Server:'];
  let found: SystemInfo;
  try {
    found = await engine.json<SystemInfo>('GET', '/info');
  } catch (problem) {
    if (format === '') print(`${head.join('\n')}\n`);
    throw new CommandError(`${messageOf(problem)}${format === '' ? '\nerrors pretty printing info' : ''}`, 1, { cause: problem });
  }
  if (format !== '') {
    const client = { Debug: false, Version: clientVersion, Context: 'default', Plugins: [], Warnings: null };
    print(renderOne({ ...found, ClientInfo: client }, format));
    return;
  }
  const parts = [counts, storage, plugins, swarmAndRuntimes, security, machine, registries, rest];
  print(`${[...head, ...parts.flatMap((part) => part(found))].join('\n')}\n\n`);
  for (const warning of found.Warnings ?? []) complain(`${warning}\n`);
}

type Part = (found: SystemInfo) => readonly string[];

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
  `  Volume: ${(Plugins.Volume ?? []).join(' ')}`,
  `  Network: ${(Plugins.Network ?? []).join(' ')}`,
  ...((Plugins.Authorization ?? []).length === 0 ? [] : [`  Authorization: ${(Plugins.Authorization ?? []).join(' ')}`]),
  `  Log: ${(Plugins.Log ?? []).join(' ')}`,
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
  if ((SecurityOptions ?? []).length === 0) return [];
  const lines = SecurityOptions.flatMap((option) => {
    const pairs = option.split(',').map((pair) => pair.split('='));
    const name = pairs.find(([key]) => key === 'name')?.[1] ?? option;
    const others = pairs.filter(([key]) => key !== 'name');
    return [
      `  ${name}`,
      ...others.map(([key = '', value = '']) => `   ${key.charAt(0).toUpperCase()}${key.slice(1)}: ${value}`),
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
  ...((found.Labels ?? []).length === 0 ? [] : [' Labels:', ...found.Labels.map((label) => `  ${label}`)]),
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
    ...(insecure.length === 0 ? [] : [' Insecure Registries:', ...insecure.map((each) => `  ${each}`)]),
    ...(mirrors.length === 0 ? [] : [' Registry Mirrors:', ...mirrors.map((each) => `  ${each}`)]),
  ];
};

const rest: Part = (found) => [
  ` Live Restore Enabled: ${found.LiveRestoreEnabled}`,
  ...((found.DefaultAddressPools ?? []).length === 0
    ? []
    : [' Default Address Pools:', ...(found.DefaultAddressPools ?? []).map(({ Base, Size }) => `   Base: ${Base}, Size: ${Size}`)]),
];

/** A line for what is known; an empty value has none. */
function named(name: string, value: string | undefined): readonly string[] {
  return value === undefined || value === '' ? [] : [`${name}: ${value}`];
}
