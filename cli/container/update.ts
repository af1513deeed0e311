import type {
  ContainerUpdateBody,
  ContainerUpdateResponse,
} from '../../api-spec/container-verbs.js';
import type { ContainerInspectResponse } from '../../api-spec/container.js';
import type { PortBinding, RestartPolicy } from '../../api-spec/host-config.js';
import { anyNumber, type Call, type Command } from '../command.js';
import { containerFlags } from '../create-options/flags.js';
import { readRestartPolicy } from '../create-options/host.js';
import { pairsOf } from '../create-options/pairs.js';
import { planPorts } from '../create-options/ports.js';
import { planResources } from '../create-options/resources.js';
import type { Heard } from '../engine/heard.js';
import { CommandError, messageOf } from '../errors.js';
import { flag } from '../flags.js';

/** Docker's own, with the meaning that they have for `create`. */
const limits = new Set([
  'blkio-weight', 'cpu-period', 'cpu-quota', 'cpu-rt-period', 'cpu-rt-runtime', 'cpu-shares',
  'cpus', 'cpuset-cpus', 'cpuset-mems', 'kernel-memory', 'memory', 'memory-reservation',
  'memory-swap', 'pids-limit',
]);

/** `update`: other limits, ports, labels and log options, for running containers too. */
export const updateCommand: Command = {
  use: 'update [OPTIONS] CONTAINER [CONTAINER...]',
  about: 'Change containers, running ones too, without a restart',
  flags: [
    ...containerFlags
      .filter(({ name }) => limits.has(name))
      .map((each) => (each.name === 'kernel-memory' ? { ...each, hidden: true } : each)),
    flag('list', 'label-add', 'Add or change a label (key or key=value)'),
    flag('list', 'label-rm', 'Remove a label (key)'),
    flag('list', 'log-opt', 'Set an option of the log driver; an empty value unsets it'),
    flag('list', 'publish-add', 'Publish one more port ([[address:]port:]inside[/protocol])'),
    flag('list', 'publish-rm', 'Publish a port no more ([[address:]port:]inside[/protocol])'),
    flag('text', 'restart', 'When to start again after an end'),
    flag('switch', 'restart-on-unhealthy', 'Restart it when it becomes unhealthy'),
  ],
  operands: [1, anyNumber],
  run: update,
};

async function update(call: Call): Promise<void> {
  const { flags, operands, engine, print } = call;
  if (!updateCommand.flags.some(({ name }) => flags.isSet(name))) {
    throw new CommandError('you must provide one or more flags when using this command');
  }
  const same = sameForAll(call);
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const container of operands) {
    const path = `/containers/${encodeURIComponent(container)}`;
    try {
      const body = { ...same, ...(await ofItsOwn(call, path)) };
      const answer = await engine.json<ContainerUpdateResponse>('POST', `${path}/update`, { body });
      print(`${container}\n`);
      warnings.push(...(answer.Warnings ?? []));
    } catch (problem) {
      problems.push(messageOf(problem));
    }
  }
  if (warnings.length > 0) print(`${warnings.join('\n')}\n`);
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
}

function sameForAll({ flags }: Call): ContainerUpdateBody {
  const restart = flags.text('restart');
  return {
    ...planResources(flags),
    ...(restart === '' ? {} : { RestartPolicy: restartPolicyOf(restart) }),
    ...(flags.isSet('restart-on-unhealthy')
      ? { RestartOnUnhealthy: flags.switch('restart-on-unhealthy') }
      : {}),
  };
}

/** What `run` refuses with 125 is an ordinary failure here. */
function restartPolicyOf(text: string): RestartPolicy {
  try {
    return readRestartPolicy(text);
  } catch (problem) {
    throw new CommandError(messageOf(problem), 1, { cause: problem });
  }
}

/** What is added to or taken from what a container has already. */
async function ofItsOwn({ flags, engine }: Call, path: string): Promise<ContainerUpdateBody> {
  const names = ['label-add', 'label-rm', 'log-opt', 'publish-add', 'publish-rm'];
  if (!names.some((name) => flags.isSet(name))) return {};
  const found = await engine.json<Heard<ContainerInspectResponse>>('GET', `${path}/json`);
  const { Config, HostConfig } = found;
  const changes: { -readonly [Key in keyof ContainerUpdateBody]: ContainerUpdateBody[Key] } = {};
  if (flags.isSet('label-add') || flags.isSet('label-rm')) {
    const labels = { ...known(Config?.Labels), ...pairsOf(flags.list('label-add')) };
    changes.Labels = without(labels, flags.list('label-rm'));
  }
  if (flags.isSet('log-opt')) {
    const options = { ...known(HostConfig?.LogConfig?.Config), ...pairsOf(flags.list('log-opt')) };
    const unset = Object.keys(options).filter((key) => options[key] === '');
    changes.LogConfig = { Config: without(options, unset) };
  }
  if (flags.isSet('publish-add') || flags.isSet('publish-rm')) {
    changes.PortBindings = portsOf(known(HostConfig?.PortBindings), {
      added: planPorts(flags.list('publish-add'), []).bindings,
      removed: planPorts(flags.list('publish-rm'), []).bindings,
    });
  }
  return changes;
}

function known<Value>(
  map: Readonly<Record<string, Value | null | undefined>> | null | undefined,
): Record<string, Value> {
  // Null is a port that is exposed and not published.
  return Object.fromEntries(
    Object.entries(map ?? {}).flatMap(([key, value]) =>
      value === null || value === undefined ? [] : [[key, value]]),
  );
}

function without<Value>(
  map: Readonly<Record<string, Value>>,
  keys: readonly string[],
): Record<string, Value> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

type Bindings = Readonly<Record<string, readonly PortBinding[]>>;

/** The bindings that there are without those that `removed` fits, and with those added. */
export function portsOf(
  before: Bindings,
  { added, removed }: { readonly added: Bindings; readonly removed: Bindings },
): Record<string, readonly PortBinding[]> {
  const ports: Record<string, readonly PortBinding[]> = {};
  for (const [key, list] of Object.entries(before)) {
    const left = list.filter((each) => !(removed[key] ?? []).some((what) => fits(what, each)));
    if (left.length > 0) ports[key] = left;
  }
  for (const [key, what] of Object.entries(removed)) {
    if (before[key]?.some((each) => what.some((one) => fits(one, each))) === true) continue;
    throw new CommandError(`port ${key} is not published so`);
  }
  for (const [key, list] of Object.entries(added)) ports[key] = [...(ports[key] ?? []), ...list];
  return ports;
}

/** What is left out fits all. */
function fits(what: PortBinding, { HostIp = '', HostPort = '' }: PortBinding): boolean {
  const { HostIp: ip = '', HostPort: port = '' } = what;
  return (ip === '' || ip === HostIp) && (port === '' || port === HostPort);
}
