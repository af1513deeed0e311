import type { ContainerConfig } from '../../api-spec/index.js';
import { exposedPorts } from './port-requests.js';

/** One `--link`: who is linked to, under which alias, by whom. */
export interface LinkOfContainer {
  readonly alias: string;
  /** `/child/alias`, as Docker names the link. */
  readonly name: string;
  readonly address: string;
  readonly config: ContainerConfig;
}

/** Of the images' own, not worth telling. */
const hidden = new Set(['HOME', 'PATH']);

/** The variables by which a container on the default bridge sees another, as Docker does it. */
export function linkVariables({ alias, name, address, config }: LinkOfContainer): string[] {
  const prefix = alias.toUpperCase().replaceAll('-', '_');
  const variables = new Map<string, string>();
  const ports = exposedPorts(config).toSorted(
    (a, b) => a.port - b.port || Number(b.protocol === 'tcp') - Number(a.protocol === 'tcp'),
  );
  const url = ({ port, protocol }: ExposedPort): string => `${protocol}://${address}:${port}`;
  const set = ({ port, protocol }: ExposedPort, suffix: string, value: string): void => {
    variables.set(`${prefix}_PORT_${port}_${protocol.toUpperCase()}${suffix}`, value);
  };
  const [first] = ports;
  if (first !== undefined) variables.set(`${prefix}_PORT`, url(first));
  for (const [from, to] of longRanges(ports)) {
    set(from, '_START', url(from));
    set(from, '_PORT_START', String(from.port));
    set(from, '_END', url(to));
    set(from, '_PORT_END', String(to.port));
  }
  for (const port of ports) {
    set(port, '', url(port));
    set(port, '_ADDR', address);
    set(port, '_PORT', String(port.port));
    set(port, '_PROTO', port.protocol);
  }
  variables.set(`${prefix}_NAME`, name);
  for (const entry of config.Env ?? []) {
    const at = entry.indexOf('=');
    if (at <= 0 || hidden.has(entry.slice(0, at))) continue;
    variables.set(`${prefix}_ENV_${entry.slice(0, at)}`, entry.slice(at + 1));
  }
  return [...variables].map(([variable, value]) => `${variable}=${value}`);
}

type ExposedPort = ReturnType<typeof exposedPorts>[number];

/** First and last of three and more ports in a row. */
function longRanges(
  ports: readonly ExposedPort[],
): readonly (readonly [ExposedPort, ExposedPort])[] {
  const ranges: ExposedPort[][] = [];
  for (const port of ports) {
    const range = ranges.at(-1);
    if (range?.at(-1)?.port === port.port - 1) range.push(port);
    else ranges.push([port]);
  }
  return ranges.flatMap((range) => {
    const [from, to] = [range[0], range.at(-1)];
    if (range.length < 3 || from === undefined || to === undefined) return [];
    return [[from, to] as const];
  });
}
