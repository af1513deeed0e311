import type { SystemVersion } from '../../api-spec/system.js';
import type { Call, Command } from '../command.js';
import type { Heard } from '../engine/heard.js';
import { messageOf, CommandError } from '../errors.js';
import { flag } from '../flags.js';
import { renderOne } from '../format/list.js';
import { layOut } from '../table.js';
import { clientVersion } from '../version.js';

/** `version`: of the client, and of the engine and its parts. */
export const versionCommand: Command = {
  use: 'version [OPTIONS]',
  about: 'Show the versions of client and engine',
  flags: [flag('text', 'format', 'How to show it: json, or a Go template', { short: 'f' })],
  operands: [0, 0],
  run: version,
};

async function version({ engine, flags, print }: Call): Promise<void> {
  let server: Heard<SystemVersion> | undefined;
  let problem: unknown;
  try {
    server = await engine.json<Heard<SystemVersion>>('GET', '/version');
  } catch (thrown) {
    problem = thrown;
  }
  const client = {
    Version: clientVersion,
    ApiVersion: server === undefined ? '1.51' : await engine.apiVersion(),
    DefaultAPIVersion: '1.51',
    NodeVersion: process.version,
    Os: process.platform,
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    Context: 'default',
  };
  const format = flags.text('format');
  if (format !== '') print(renderOne({ Client: client, Server: server ?? null }, format));
  else {
    print(
      layOut(
        [
          'Client:',
          ` Version:\t${client.Version}`,
          ` API version:\t${client.ApiVersion}`,
          ` Node version:\t${client.NodeVersion}`,
          ` OS/Arch:\t${client.Os}/${client.Arch}`,
          ` Context:\t${client.Context}`,
          ...(server === undefined ? [] : ['', ...serverLines(server)]),
          '',
        ].join('\n'),
        { minimum: 20, padding: 1 },
      ),
    );
  }
  if (problem !== undefined) throw new CommandError(messageOf(problem), 1, { cause: problem });
}

function serverLines(server: Heard<SystemVersion>): readonly string[] {
  const platform = server.Platform?.Name ?? '';
  const components = (server.Components ?? []).map(({ Name, Version, Details }) => {
    const details = Details ?? {};
    const text = (name: string): string => details[name] ?? '';
    if (Name !== 'Engine') {
      return [
        ` ${Name}:`,
        `  Version:\t${Version}`,
        ...('GitCommit' in details ? [`  GitCommit:\t${text('GitCommit')}`] : []),
      ];
    }
    return [
      ' Engine:',
      `  Version:\t${Version}`,
      `  API version:\t${text('ApiVersion')} (minimum version ${text('MinAPIVersion')})`,
      `  Go version:\t${text('GoVersion')}`,
      `  Git commit:\t${text('GitCommit')}`,
      `  Built:\t${builtText(text('BuildTime'))}`,
      `  OS/Arch:\t${text('Os')}/${text('Arch')}`,
      `  Experimental:\t${text('Experimental')}`,
    ];
  });
  return [`Server:${platform === '' ? '' : ` ${platform}`}`, ...components.flat()];
}

/** `Thu Aug 13 05:35:48 2026`, or the text itself where it is no time. */
function builtText(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return text;
  const [day = '', month = '', date = '', year = '', clock = ''] = new Date(ms).toString().split(
    ' ',
  );
  return `${day} ${month} ${date.replace(/^0/, ' ')} ${clock} ${year}`;
}
