import { readFileSync } from 'node:fs';
import type { HostConfig, RestartPolicy } from '../../api-spec/host-config.js';
import { CommandError, messageOf, UsageError } from '../errors.js';
import type { GivenFlags } from '../flags.js';
import { planTmpfs, readMount } from './mounts.js';
import { pairsOf } from './pairs.js';

type Draft = { -readonly [Key in keyof HostConfig]: HostConfig[Key] };

/** The part of HostConfig that is neither limits nor ports nor networks. */
export function planHost(flags: GivenFlags): HostConfig {
  const plan: Draft = {};
  setSwitches(flags, plan);
  setTexts(flags, plan);
  setLists(flags, plan);
  const maps = { Annotations: 'annotation', StorageOpt: 'storage-opt', Sysctls: 'sysctl' } as const;
  for (const [field, name] of Object.entries(maps)) {
    const given = flags.list(name);
    if (given.length > 0) Object.assign(plan, { [field]: pairsOf(given) });
  }
  if (flags.list('tmpfs').length > 0) plan.Tmpfs = planTmpfs(flags.list('tmpfs'));
  if (flags.list('mount').length > 0) plan.Mounts = flags.list('mount').map(readMount);
  const logOptions = flags.list('log-opt');
  plan.LogConfig = { Type: flags.text('log-driver'), Config: pairsOf(logOptions) };
  plan.RestartPolicy = readRestartPolicy(flags.text('restart'));
  if (flags.switch('rm') && !['', 'no'].includes(plan.RestartPolicy.Name ?? '')) {
    throw new CommandError('conflicting options: cannot specify both --restart and --rm', 125);
  }
  Object.assign(plan, readSecurity(flags.list('security-opt')));
  return plan;
}

function setSwitches(flags: GivenFlags, plan: Draft): void {
  const names = {
    AutoRemove: 'rm',
    Privileged: 'privileged',
    PublishAllPorts: 'publish-all',
    ReadonlyRootfs: 'read-only',
    RestartOnUnhealthy: 'restart-on-unhealthy',
  } as const;
  for (const [field, name] of Object.entries(names)) {
    if (flags.switch(name)) Object.assign(plan, { [field]: true });
  }
  if (flags.isSet('init')) plan.Init = flags.switch('init');
}

function setTexts(flags: GivenFlags, plan: Draft): void {
  const names = {
    CgroupParent: 'cgroup-parent',
    CgroupnsMode: 'cgroupns',
    ContainerIDFile: 'cidfile',
    IpcMode: 'ipc',
    Isolation: 'isolation',
    PidMode: 'pid',
    Runtime: 'runtime',
    UTSMode: 'uts',
    UsernsMode: 'userns',
    VolumeDriver: 'volume-driver',
  } as const;
  for (const [field, name] of Object.entries(names)) {
    const value = flags.text(name);
    if (value !== '') Object.assign(plan, { [field]: value });
  }
}

function setLists(flags: GivenFlags, plan: Draft): void {
  const names = {
    CapAdd: ['cap-add'],
    CapDrop: ['cap-drop'],
    Dns: ['dns'],
    DnsOptions: ['dns-option', 'dns-opt'],
    DnsSearch: ['dns-search'],
    GroupAdd: ['group-add'],
    Links: ['link'],
    VolumesFrom: ['volumes-from'],
  } as const;
  for (const [field, sources] of Object.entries(names)) {
    const value = sources.flatMap((name) => [...flags.list(name)]);
    if (value.length > 0) Object.assign(plan, { [field]: value });
  }
  const hosts = flags.list('add-host').map(readHost);
  if (hosts.length > 0) plan.ExtraHosts = hosts;
}

function readHost(spec: string): string {
  const parts = /^([^:=]+)[:=](.+)$/.exec(spec);
  if (parts === null) {
    throw new UsageError(
      `invalid argument "${spec}" for "--add-host" flag: bad format for add-host: "${spec}"`,
    );
  }
  return `${parts[1] ?? ''}:${(parts[2] ?? '').replace(/^\[(.*)\]$/, '$1')}`;
}

/**
 * `no`, `always`, `unless-stopped`, `on-failure[:count]`; anything else is the engine's to refuse.
 */
export function readRestartPolicy(spec: string): RestartPolicy {
  const [name = '', count, ...more] = spec.split(':');
  if (name === '' && spec !== '') {
    throw new CommandError('invalid restart policy format: no policy provided before colon', 125);
  }
  if (more.length > 0 || (count !== undefined && !/^-?\d+$/.test(count))) {
    throw new CommandError(
      'invalid restart policy format: maximum retry count must be an integer',
      125,
    );
  }
  return { Name: name, MaximumRetryCount: Number(count ?? 0) };
}

function readSecurity(given: readonly string[]): HostConfig {
  if (given.length === 0) return {};
  const isOpen = given.includes('systempaths=unconfined');
  const options = given.filter((spec) => spec !== 'systempaths=unconfined').map(withProfile);
  return {
    ...(options.length === 0 ? {} : { SecurityOpt: options }),
    ...(isOpen ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  };
}

/** A seccomp profile travels as its text: the engine cannot read the client's files. */
function withProfile(spec: string): string {
  const parts = /^seccomp[=:](.+)$/.exec(spec);
  const value = parts?.[1] ?? '';
  if (!/[=:]/.test(spec) && spec !== 'no-new-privileges') {
    throw new CommandError(`invalid --security-opt: ${JSON.stringify(spec)}`, 125);
  }
  if (parts === null || value === 'unconfined' || value === 'builtin') return spec;
  try {
    return `seccomp=${JSON.stringify(JSON.parse(readFileSync(value, 'utf8')))}`;
  } catch (problem) {
    const reason = `opening seccomp profile (${value}) failed: ${messageOf(problem)}`;
    throw new CommandError(reason, 125, { cause: problem });
  }
}
