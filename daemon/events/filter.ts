/** Which events a client wants to see: pure, as `docker events --filter` has it. */

/** Something that happened to a container, image, volume, network or the daemon. */
export interface Happening {
  readonly type: 'container' | 'image' | 'network' | 'volume' | 'daemon';
  readonly action: string;
  /** ID of what it happened to: 64 hex, `sha256:…`, or a volume's name. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Values by filter name; any value of a name will do, every name must agree. */
export type EventFilters = Readonly<Record<string, readonly string[]>>;

/** The filter names that `matches` knows; others are refused by whoever reads them. */
export const eventFilterNames = [
  'config', 'container', 'daemon', 'event', 'image', 'label', 'network', 'node', 'plugin',
  'scope', 'secret', 'service', 'type', 'volume',
] as const; // prettier-ignore

type Test = (event: Happening, value: string) => boolean;

/** By the beginning of its ID or of its name, as Docker does. */
const actor =
  (type: string): Test =>
  ({ type: own, id, attributes: { name = '' } }, value) =>
    own === type && (id.startsWith(value) || name.startsWith(value));

/** `health_status: healthy` and `exec_start: sh` are found by the part before the colon too. */
const byAction: Test = ({ action }, value) =>
  action === value || (/^(exec_\w+|health_status)$/.test(value) && action.startsWith(`${value}:`));

const byImage: Test = ({ type, id, attributes }, value) => {
  const names = type === 'image' ? [id, attributes['name']] : [attributes['image']];
  return names.some((name) => name !== undefined && (name === value || withoutTag(name) === value));
};

const byLabel: Test = ({ attributes }, value) => {
  const at = value.indexOf('=');
  if (at < 0) return attributes[value] !== undefined;
  return attributes[value.slice(0, at)] === value.slice(at + 1);
};

const tests: Readonly<Record<string, Test>> = {
  container: actor('container'),
  network: actor('network'),
  volume: actor('volume'),
  daemon: actor('daemon'),
  type: ({ type }, value) => type === value,
  scope: (_event, value) => value === 'local',
  event: byAction,
  image: byImage,
  label: byLabel,
};

/** Whether `event` passes: labels must all agree, of other filters one value must. */
export function matches(event: Happening, filters: EventFilters): boolean {
  return Object.entries(filters).every(([name, values]) => {
    if (values.length === 0) return true;
    const passes = (value: string): boolean => tests[name]?.(event, value) ?? false;
    return name === 'label' ? values.every(passes) : values.some(passes);
  });
}

/** `repo:tag` → `repo`; a port in the registry's name is no tag. */
function withoutTag(name: string): string {
  return name.replace(/:[^:/]+$/, '');
}
