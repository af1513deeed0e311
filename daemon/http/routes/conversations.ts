/** The operations whose connection becomes a stream, and those on exec that go with them. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { HandlersOf } from '../call.js';
import type { ContainersApi } from '../needs.js';
import { detachKeysOf, terminalSize } from './containers.js';

type Ids =
  | 'ContainerAttach'
  | 'ContainerAttachWebsocket'
  | 'ContainerExec'
  | 'ExecInspect'
  | 'ExecResize'
  | 'ExecStart'
  | 'Session';

/** Handlers of attach and exec. */
export function conversationRoutes(containers: ContainersApi): HandlersOf<Ids> {
  return {
    ContainerAttach: ({ params, query }) =>
      containers.attach(params.id, { ...attachRequest(query), framing: 'stdcopy' }),
    ContainerAttachWebsocket: ({ params, query, apiMinor }) => {
      // Before 1.42 a websocket had all three streams, whatever was asked.
      const all = apiMinor < 42 && { stdin: true, stdout: true, stderr: true };
      return containers.attach(params.id, { ...attachRequest(query), ...all, framing: 'raw' });
    },
    ContainerExec: async ({ params, body }) => {
      if (body.Cmd === undefined || body.Cmd.length === 0) {
        throw invalidParameter('No exec command specified');
      }
      return containers.execCreate(params.id, body);
    },
    ExecStart: ({ params, body }) => containers.execStart(params.id, body),
    ExecInspect: ({ params }) => containers.execInspect(params.id),
    ExecResize: ({ params, query }) => containers.execResize(params.id, terminalSize(query)),
    Session: () =>
      // One that asks for an upgrade is refused where the socket is taken over.
      Promise.reject(invalidParameter('no upgrade proto in request')),
  };
}

function attachRequest(query: {
  readonly logs: boolean;
  readonly stream: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: string;
}) {
  const { logs, stream, stdin, stdout, stderr } = query;
  return { logs, stream, stdin, stdout, stderr, ...detachKeysOf(query.detachKeys) };
}
