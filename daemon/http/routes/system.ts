/** The engine itself over HTTP: ping, version, info, events. */
import { invalidParameter } from '../../../api-spec/errors.js';
import { maxMinor, minMinor, versionText } from '../../../api-spec/versions.js';
import type { HandlersOf } from '../call.js';
import { encodeEvents, eventsFormat } from '../event-stream.js';
import type { DataUsageKind, EventsApi, SystemApi } from '../needs.js';
import { parseUnixNano } from '../query.js';
import { sendTexts } from '../streams.js';

type Ids =
  | 'SystemAuth'
  | 'SystemDataUsage'
  | 'SystemEvents'
  | 'SystemInfo'
  | 'SystemPing'
  | 'SystemPingHead'
  | 'SystemVersion';

/** Handlers of the operations on the engine itself. */
export function systemRoutes(system: SystemApi, events: EventsApi): HandlersOf<Ids> {
  return {
    SystemPing: ({ response }) => {
      response.writeHead(200, { ...pingHeaders, 'Content-Length': 2 }).end('OK');
      return Promise.resolve();
    },
    SystemPingHead: ({ response }) => {
      response.writeHead(200, { ...pingHeaders, 'Content-Length': 0 }).end();
      return Promise.resolve();
    },
    SystemVersion: () => withVersions(system),
    SystemInfo: () => system.info(),
    SystemAuth: ({ body }) => system.auth(body),
    SystemDataUsage: ({ query }) => system.dataUsage(kindsOf(query.type)),
    SystemEvents: async ({ query, filters, headers, response, signal }) => {
      const sinceNano = momentOf(query.since);
      const untilNano = momentOf(query.until);
      if (sinceNano !== undefined && untilNano !== undefined && sinceNano > untilNano) {
        throw invalidParameter(
          `\`since\` time (${query.since}) cannot be after \`until\` time (${query.until})`,
        );
      }
      const subscription = events.subscribe({
        ...(sinceNano !== undefined && { sinceNano }),
        ...(untilNano !== undefined && { untilNano }),
        filters,
        signal,
      });
      const format = eventsFormat(headers.accept);
      await sendTexts(response, format.contentType, encodeEvents(subscription, format), signal);
    },
  };
}

/** Unlike elsewhere `0` is the beginning of time here, in Docker too. */
function momentOf(text: string): bigint | undefined {
  return text === '0' ? 0n : parseUnixNano(text);
}

const pingHeaders = {
  'Content-Type': 'text/plain; charset=utf-8',
  'Builder-Version': '2',
  Swarm: 'inactive',
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  Pragma: 'no-cache',
};

/** What versions are spoken is known here, and told the same way in every place. */
function withVersions(system: SystemApi) {
  const version = system.version();
  const versions = { ApiVersion: versionText(maxMinor), MinAPIVersion: versionText(minMinor) };
  const Components = version.Components.map((component) =>
    component.Name === 'Engine'
      ? { ...component, Details: { ...component.Details, ...versions } }
      : component,
  );
  return { ...version, Components, ...versions };
}

const allKinds: readonly DataUsageKind[] = ['container', 'image', 'volume', 'build-cache'];

function kindsOf(names: readonly string[]): readonly DataUsageKind[] {
  if (names.length === 0) return allKinds;
  return names.map((name) => {
    const kind = allKinds.find((known) => known === name);
    if (kind === undefined) throw invalidParameter(`unknown object type: ${name}`);
    return kind;
  });
}
