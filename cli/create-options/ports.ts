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
    if (spec.includes(':')) {
      throw new CommandError(`invalid port format for --expose: ${spec}`, 125);
    }
    const { ports, protocol } = splitProtocol(spec);
    const range = readRange(ports);
    if (range === undefined) {
      throw new CommandError(
        `invalid range format for --expose: ${spec}, error: invalid port`,
        125,
      );
    }
    for (let port = range.from; port <= range.to; port++) plan.exposed[`${port}/${protocol}`] = {};
  }
  return plan;
}

function publish(plan: PortPlan, spec: string): void {
  const { ip, host, inside, protocol } = takeApart(spec);
  if (inside === '') throw new CommandError(`no port specified: ${spec}<empty>`, 125);
  const target = readRange(inside);
  if (target === undefined) throw new CommandError(`invalid containerPort: ${inside}`, 125);
  const hostPortAt = hostPorts(host, { inside, width: target.to - target.from });
  for (let port = target.from; port <= target.to; port++) {
    const key = `${port}/${protocol}`;
    const binding = { HostIp: ip, HostPort: hostPortAt(port - target.from) };
    plan.exposed[key] = {};
    plan.bindings[key] = [...(plan.bindings[key] ?? []), binding];
  }
}

/** A range for one port is the engine's to choose from; else both ranges must be as wide. */
function hostPorts(
  host: string,
  { inside, width }: { readonly inside: string; readonly width: number },
): (offset: number) => string {
  if (host === '') return () => '';
  const source = readRange(host);
  if (source === undefined) throw new CommandError(`invalid hostPort: ${host}`, 125);
  if (source.to - source.from === width) return (offset) => String(source.from + offset);
  if (width === 0) return () => host;
  const ranges = `${inside} and ${host}`;
  throw new CommandError(`invalid ranges specified for container and host Ports: ${ranges}`, 125);
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
  if (!['tcp', 'udp', 'sctp'].includes(lower)) {
    throw new CommandError(`invalid proto: ${protocol}`, 125);
  }
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
        throw new CommandError(
          `invalid publish opts format (should be name=value but got '${field}')`,
          125,
        );
      }
      return [key.toLowerCase(), value];
    }),
  );
  const target = fields.get('target') ?? '';
  return `${fields.get('published') ?? ''}:${target}/${fields.get('protocol') ?? 'tcp'}`;
}
