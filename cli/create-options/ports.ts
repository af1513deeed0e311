import { isIP } from 'node:net';
import type { PortBinding } from '../../api-spec/host-config.js';
import { CommandError } from '../errors.js';
import { csvFields } from './pairs.js';

/** What `--publish` and `--expose` come to in the API. */
export interface PortPlan {
  readonly exposed: Record<string, Record<string, never>>;
  readonly bindings: Record<string, PortBinding[]>;
}

const highestPort = 65535;

/** Reads `-p` and `--expose`. Throws CommandError in Docker's words. */
export function planPorts(published: readonly string[], exposed: readonly string[]): PortPlan {
  const plan: PortPlan = { exposed: {}, bindings: {} };
  for (const spec of published) publish(plan, spec.includes('=') ? longForm(spec) : spec);
  for (const spec of exposed) {
    if (spec.includes(':')) throw new CommandError(`invalid port format for --expose: ${spec}`, 125);
    const { ports, protocol } = splitProtocol(spec);
    const range = readRange(ports);
    if (range === undefined) {
      throw new CommandError(`invalid range format for --expose: ${spec}, error: invalid port`, 125);
    }
    for (let port = range.from; port <= range.to; port++) plan.exposed[`${port}/${protocol}`] = {};
  }
  return plan;
}

function publish(plan: PortPlan, spec: string): void {
  const { ip, host, inside, protocol } = takeApart(spec);
  const target = readRange(inside);
  if (inside === '') throw new CommandError(`no port specified: ${spec}<empty>`, 125);
  if (target === undefined) throw new CommandError(`invalid containerPort: ${inside}`, 125);
  const source = host === '' ? undefined : readRange(host);
  if (host !== '' && source === undefined) throw new CommandError(`invalid hostPort: ${host}`, 125);
  const width = target.to - target.from;
  const isSpread = source !== undefined && source.to - source.from !== width;
  if (isSpread && width !== 0) {
    throw new CommandError(`invalid ranges specified for container and host Ports: ${inside} and ${host}`, 125);
  }
  for (let offset = 0; offset <= width; offset++) {
    const key = `${target.from + offset}/${protocol}`;
    const HostPort = isSpread ? host : source === undefined ? '' : String(source.from + offset);
    plan.exposed[key] = {};
    plan.bindings[key] = [...(plan.bindings[key] ?? []), { HostIp: ip, HostPort }];
  }
}

interface PublishedParts {
  readonly ip: string;
  readonly host: string;
  readonly inside: string;
  readonly protocol: string;
}

function takeApart(spec: string): PublishedParts {
  const { ports, protocol } = splitProtocol(spec);
  const parts = ports.split(':');
  const inside = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  const ip = parts.join(':').replace(/^\[(.*)\]$/, '$1');
  if (ip !== '' && isIP(ip) === 0) {
    throw new CommandError(`invalid IP address: ${ip}`, 125);
  }
  return { ip, host, inside, protocol };
}

function splitProtocol(spec: string): { readonly ports: string; readonly protocol: string } {
  const [ports = '', protocol = 'tcp'] = spec.split('/');
  const lower = protocol.toLowerCase();
  if (!['tcp', 'udp', 'sctp'].includes(lower)) throw new CommandError(`invalid proto: ${protocol}`, 125);
  return { ports, protocol: lower };
}

function readRange(text: string): { readonly from: number; readonly to: number } | undefined {
  const parts = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (parts === null) return undefined;
  const from = Number(parts[1]);
  const to = Number(parts[2] ?? parts[1]);
  return from <= to && to <= highestPort ? { from, to } : undefined;
}

function longForm(spec: string): string {
  const fields = new Map(
    csvFields(spec).map((field): [string, string] => {
      const [key = '', value = ''] = field.split('=');
      if (value === '') {
        throw new CommandError(`invalid publish opts format (should be name=value but got '${field}')`, 125);
      }
      return [key.toLowerCase(), value];
    }),
  );
  const target = fields.get('target') ?? '';
  return `${fields.get('published') ?? ''}:${target}/${fields.get('protocol') ?? 'tcp'}`;
}
