import type { ContainerTopResponse, FilesystemChange } from '../../api-spec/container-verbs.js';
import type { ContainerInspectResponse } from '../../api-spec/container.js';
import type { PortBinding } from '../../api-spec/host-config.js';
import { anyNumber, type Call, type Command } from '../command.js';
import type { Heard } from '../engine/heard.js';
import { CommandError } from '../errors.js';
import { naturalOrder } from '../order.js';
import { layOut } from '../table.js';

/** `top`: the processes of a container, by `ps` with the given options. */
export const topCommand: Command = {
  use: 'top CONTAINER [ps OPTIONS]',
  about: 'Show the processes of a container',
  flags: [],
  operands: [1, anyNumber],
  interspersed: false,
  run: async ({ engine, operands: [container = '', ...options], print }) => {
    const { Titles, Processes } = await engine.json<Heard<ContainerTopResponse>>(
      'GET',
      `/containers/${encodeURIComponent(container)}/top`,
      { query: { ps_args: options.join(' ') || undefined } },
    );
    const lines = [Titles ?? [], ...(Processes ?? [])].map((cells) => cells.join('\t'));
    print(layOut(`${lines.join('\n')}\n`, { minimum: 20, padding: 3 }));
  },
};

/** `diff`: added, changed and deleted paths. */
export const diffCommand: Command = {
  use: 'diff CONTAINER',
  about: "Show what changed in a container's files",
  flags: [],
  operands: [1, 1],
  run: async ({ engine, operands: [container = ''], print }) => {
    const changes = await engine.json<readonly FilesystemChange[] | null>(
      'GET',
      `/containers/${encodeURIComponent(container)}/changes`,
    );
    for (const { Kind, Path } of changes ?? []) print(`${'CAD'.charAt(Kind)} ${Path}\n`);
  },
};

/** `port`: where the ports of a container are published. */
export const portCommand: Command = {
  use: 'port CONTAINER [PRIVATE_PORT[/PROTO]]',
  about: 'Show the published ports of a container',
  flags: [],
  operands: [1, 2],
  run: port,
};

async function port(call: Call): Promise<void> {
  const { engine, operands, print } = call;
  const [container = '', wanted] = operands;
  const number = wanted?.split('/')[0] ?? '0';
  if (!/^\d+$/.test(number)) {
    throw new CommandError(
      `Error: invalid port (${number}): strconv.ParseUint: parsing "${number}": invalid syntax`,
    );
  }
  const { NetworkSettings } = await engine.json<Heard<ContainerInspectResponse>>(
    'GET',
    `/containers/${encodeURIComponent(container)}/json`,
  );
  const key = wanted === undefined || wanted.includes('/') ? wanted : `${wanted}/tcp`;
  const lines = Object.entries(NetworkSettings?.Ports ?? {}).flatMap(([inside, bindings]) =>
    key === undefined
      ? (bindings ?? []).map((binding) => `${inside} -> ${addressOf(binding)}`)
      : (inside === key ? (bindings ?? []) : []).map(addressOf),
  );
  if (key !== undefined && lines.length === 0) {
    throw new CommandError(`Error: No public port '${wanted ?? ''}' published for ${container}`);
  }
  print(lines.sort(naturalOrder).map((line) => `${line}\n`).join(''));
}

function addressOf({ HostIp = '', HostPort = '' }: PortBinding): string {
  return `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}`;
}
