import type { EndpointSettings } from '../../api-spec/endpoints.js';
import { anyNumber, forEachOperand, type Command } from '../command.js';
import { pairsOf } from '../create-options/pairs.js';
import { EngineError } from '../engine/engine.js';
import { flag } from '../flags.js';

/** `network connect`: one more network for a container. */
export const connectCommand: Command = {
  use: 'connect [OPTIONS] NETWORK CONTAINER',
  about: 'Connect a container to a network',
  flags: [
    flag('strings', 'alias', 'Name on the network'),
    flag('strings', 'driver-opt', 'Option of the network driver'),
    flag('integer', 'gw-priority', 'The highest one gives the default gateway'),
    flag('text', 'ip', 'IPv4 address'),
    flag('text', 'ip6', 'IPv6 address'),
    flag('list', 'link', 'Link to another container'),
    flag('strings', 'link-local-ip', 'Link-local address'),
  ],
  operands: [2, 2],
  run: async ({ engine, flags, operands: [network = '', container = ''] }) => {
    const options = flags.list('driver-opt');
    const endpoint: EndpointSettings = {
      IPAMConfig: {
        ...(flags.text('ip') === '' ? {} : { IPv4Address: flags.text('ip') }),
        ...(flags.text('ip6') === '' ? {} : { IPv6Address: flags.text('ip6') }),
        ...(flags.isSet('link-local-ip') ? { LinkLocalIPs: flags.list('link-local-ip') } : {}),
      },
      ...(flags.isSet('link') ? { Links: flags.list('link') } : {}),
      ...(flags.isSet('alias') ? { Aliases: flags.list('alias') } : {}),
      ...(options.length === 0 ? {} : { DriverOpts: pairsOf(options) }),
      ...(flags.isSet('gw-priority') ? { GwPriority: flags.number('gw-priority') } : {}),
    };
    await engine.text('POST', `/networks/${encodeURIComponent(network)}/connect`, {
      body: { Container: container, EndpointConfig: endpoint },
    });
  },
};

/** `network disconnect`: takes a container off a network. */
export const disconnectCommand: Command = {
  use: 'disconnect [OPTIONS] NETWORK CONTAINER',
  about: 'Disconnect a container from a network',
  flags: [flag('switch', 'force', 'Even if the container is gone', { short: 'f' })],
  operands: [2, 2],
  run: async ({ engine, flags, operands: [network = '', container = ''] }) => {
    await engine.text('POST', `/networks/${encodeURIComponent(network)}/disconnect`, {
      body: { Container: container, Force: flags.switch('force') },
    });
  },
};

/** `network rm`: removes networks that nobody is on. */
export const removeNetworkCommand: Command = {
  use: 'rm NETWORK [NETWORK...]',
  about: 'Remove networks',
  flags: [flag('switch', 'force', 'Do not fail for what does not exist', { short: 'f' })],
  operands: [1, anyNumber],
  run: (call) =>
    forEachOperand(call, async (network) => {
      try {
        await call.engine.text('DELETE', `/networks/${encodeURIComponent(network)}`);
      } catch (problem) {
        const isMissing = problem instanceof EngineError && problem.status === 404;
        if (!isMissing || !call.flags.switch('force')) throw problem;
        return undefined;
      }
      return network;
    }),
};
