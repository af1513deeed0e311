import type { PortSummary } from '../../api-spec/container.js';

/**
 * Ports as `ps` shows them: published ones with their address, neighbouring ports joined into
 * ranges, sorted.
 */
export function portsText(ports: readonly PortSummary[]): string {
  const sorted = [...ports].sort(
    (a, b) =>
      a.PrivatePort - b.PrivatePort ||
      compare(a.IP ?? '', b.IP ?? '') ||
      (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
      compare(a.Type, b.Type),
  );
  const groups = new Map<string, Range>();
  const groupOrder: string[] = [];
  const singles: string[] = [];
  const ranges: string[] = [];
  for (const port of sorted) {
    const { PublicPort = 0, IP = '' } = port;
    if (IP !== '' && PublicPort !== port.PrivatePort) {
      singles.push(`${bracketed(IP)}:${PublicPort}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = IP === '' ? port.Type : `${IP}/${port.Type}`;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
      groupOrder.push(key);
    } else if (port.PrivatePort === group.last + 1 || port.PrivatePort === group.last) {
      group.last = port.PrivatePort;
    } else {
      ranges.push(rangeText(key, group));
      groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
    }
  }
  for (const key of groupOrder) {
    const group = groups.get(key);
    if (group !== undefined) ranges.push(rangeText(key, group));
  }
  return [...ranges, ...singles].join(', ');
}

interface Range {
  first: number;
  last: number;
}

function rangeText(key: string, { first, last }: Range): string {
  const span = first === last ? String(first) : `${first}-${last}`;
  const slash = key.indexOf('/');
  if (slash < 0) return `${span}/${key}`;
  return `${bracketed(key.slice(0, slash))}:${span}->${span}/${key.slice(slash + 1)}`;
}

function bracketed(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
