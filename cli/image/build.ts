import { writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { AuthConfig } from '../../api-spec/auth.js';
import type { Call, Command } from '../command.js';
import { pairsOf } from '../create-options/pairs.js';
import { planResources } from '../create-options/resources.js';
import { readConfig } from '../engine/config-file.js';
import { credentialsFor } from '../engine/credentials.js';
import { flag, type GivenFlags } from '../flags.js';
import { showProgress } from '../terminal/progress.js';
import { consoleSize } from '../terminal/terminal.js';
import { openContext } from './build-context.js';
import { grantsOf } from './build-grants.js';
import { showLive } from './build-live.js';

/** `build`: an image from a Dockerfile. */
export const buildCommand: Command = {
  use: 'build [OPTIONS] PATH | URL | -',
  about: 'Build an image from a Dockerfile',
  flags: [
    flag('list', 'add-host', 'Another name and address: host:ip'),
    flag('list', 'build-arg', 'Value of a build argument'),
    flag('strings', 'cache-from', 'Images whose history counts as cache'),
    flag('text', 'cgroup-parent', 'Parent cgroup of the steps'),
    flag('integer', 'cpu-period', "Period of the CPU's quota, in microseconds"),
    flag('integer', 'cpu-quota', "The CPU's quota, in microseconds"),
    flag('integer', 'cpu-shares', 'Relative weight', { short: 'c' }),
    flag('text', 'cpuset-cpus', 'CPUs that may be used: 0-3, 0,1'),
    flag('text', 'cpuset-mems', 'Memory nodes that may be used'),
    flag('text', 'file', 'The Dockerfile, if it is not PATH/Dockerfile', { short: 'f' }),
    flag('switch', 'force-rm', 'Remove the containers of steps that failed too'),
    flag('text', 'iidfile', "Write the image's id to this file"),
    flag('list', 'label', 'Label of the image'),
    flag('size', 'memory', 'Limit on memory', { short: 'm' }),
    flag('size', 'memory-swap', 'Limit on memory and swap together'),
    flag('text', 'network', 'Network of the steps', { otherwise: 'default' }),
    flag('switch', 'no-cache', 'Do everything anew'),
    flag('text', 'platform', 'Platform of the image'),
    flag('switch', 'pull', 'Fetch the bases even if they are there'),
    flag('switch', 'quiet', "Only the image's id at the end", { short: 'q' }),
    flag('switch', 'rm', 'Remove the containers of steps', { otherwise: 'true' }),
    flag('list', 'secret', 'What RUN --mount=type=secret may ask for: id=ID[,src=FILE|,env=NAME]'),
    flag('size', 'shm-size', 'Size of /dev/shm'),
    flag('list', 'ssh', 'Agents that RUN --mount=type=ssh may ask for: default|ID[=SOCKET]'),
    flag('list', 'tag', 'Name of the image', { short: 't' }),
    flag('text', 'target', 'The stage to build'),
    flag('list', 'ulimit', 'Limit of a process: name=soft[:hard]'),
  ],
  operands: [1, 1],
  run: build,
};

/** Of a terminal that does not say. */
const defaultColumns = 80;

async function build(call: Call): Promise<void> {
  const { engine, flags, operands, print } = call;
  const granted = await grantsOf(call);
  const context = await openContext(operands[0] ?? '', flags.text('file'));
  const isLive = process.stdout.isTTY && !flags.switch('quiet');
  const columns = isLive ? (consoleSize()?.[1] ?? defaultColumns) : undefined;
  const answer = await engine.open('POST', '/build', {
    query: {
      ...queryOf(flags),
      vertices: columns === undefined ? undefined : true,
      remote: context.remote,
      dockerfile: context.dockerfile || undefined,
    },
    headers: { ...(await registryConfig(call.configFolder)), ...granted },
    ...(context.stream === undefined ? {} : { stream: context.stream }),
    contentType: 'application/x-tar',
  });
  const imageId =
    columns === undefined
      ? await showPlain(answer, print)
      : await showLive(answer, { write: print, columns });
  if (flags.text('iidfile') !== '') await writeFile(flags.text('iidfile'), imageId);
}

/** The engine's text as it comes; the id of the image. */
async function showPlain(answer: Readable, print: (text: string) => void): Promise<string> {
  let imageId = '';
  let lastText = '';
  const write = (text: string): void => {
    lastText = text;
    print(text);
  };
  await showProgress(answer, { write, isTerminal: false, columns: 0 }, (aux) => {
    imageId = (aux as { ID?: string }).ID ?? imageId;
  });
  // A quiet build tells of nothing else.
  return imageId === '' ? lastText.trim() : imageId;
}

function queryOf(flags: GivenFlags) {
  const { CpuPeriod, CpuQuota, CpuShares, Memory, MemorySwap, ShmSize, Ulimits } =
    planResources(flags);
  const json = (value: object | readonly unknown[], isSet: boolean): string | undefined =>
    isSet ? JSON.stringify(value) : undefined;
  const text = (name: string): string | undefined => flags.text(name) || undefined;
  return {
    t: flags.list('tag'),
    q: flags.switch('quiet') || undefined,
    nocache: flags.switch('no-cache') || undefined,
    pull: flags.switch('pull') || undefined,
    rm: flags.switch('rm'),
    forcerm: flags.switch('force-rm') || undefined,
    buildargs: json(buildArgs(flags.list('build-arg')), flags.isSet('build-arg')),
    labels: json(pairsOf(flags.list('label')), flags.isSet('label')),
    cachefrom: json(flags.list('cache-from'), flags.isSet('cache-from')),
    ulimits: json(Ulimits ?? [], flags.isSet('ulimit')),
    extrahosts: flags.list('add-host'),
    networkmode: text('network'),
    target: text('target'),
    platform: text('platform'),
    cgroupparent: text('cgroup-parent'),
    cpusetcpus: text('cpuset-cpus'),
    cpusetmems: text('cpuset-mems'),
    cpuperiod: CpuPeriod,
    cpuquota: CpuQuota,
    cpushares: CpuShares,
    memory: Memory,
    memswap: MemorySwap,
    shmsize: ShmSize,
  };
}

/** A name without value takes the value of this program's own variable, if there is one. */
function buildArgs(given: readonly string[]): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    given.map((entry) => {
      const equals = entry.indexOf('=');
      if (equals >= 0) return [entry.slice(0, equals), entry.slice(equals + 1)];
      return [entry, process.env[entry] ?? null];
    }),
  );
}

/** Credentials of all registries that config.json knows. */
async function registryConfig(folder: string): Promise<Readonly<Record<string, string>>> {
  const config = readConfig(folder);
  const known: Record<string, AuthConfig> = {};
  for (const key of Object.keys(config.auths ?? {})) {
    const found = await credentialsFor(key, config);
    if (found !== undefined) known[key] = found;
  }
  if (Object.keys(known).length === 0) return {};
  const text = Buffer.from(JSON.stringify(known)).toString('base64url');
  return { 'X-Registry-Config': text };
}
