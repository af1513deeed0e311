/** What this engine is not: a swarm node, a host of managed plugins. The words are Docker's. */
import {
  invalidParameter,
  notFound,
  notImplemented,
  unavailable,
} from '../../../api-spec/errors.js';
import type { Filters } from '../needs.js';

/** For what only a node of a swarm has; 503 in Docker's words. */
export const notManager = (): never => {
  throw unavailable(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect ' +
      'this node to swarm and try again.',
  );
};

/** As Docker where containers outlive the daemon, which they always do here. */
const noSwarm = () => {
  throw unavailable('--live-restore daemon configuration is incompatible with swarm mode');
};

const noPlugin = ({ params }: { readonly params: { readonly name: string } }) => {
  throw notFound(`plugin ${JSON.stringify(params.name)} not found`);
};

const noPlugins = () => {
  throw notImplemented('managed plugins are not implemented by this engine');
};

/** Handlers of the operations on managed plugins. */
export const pluginRoutes = {
  PluginList: ({ filters }: { readonly filters: Filters }) => {
    for (const value of filters['enabled'] ?? []) {
      if (['1', 'true', '0', 'false'].includes(value)) continue;
      throw invalidParameter(`invalid filter 'enabled=[${value}]'`);
    }
    return [];
  },
  GetPluginPrivileges: noPlugins,
  PluginPull: noPlugins,
  PluginInspect: noPlugin,
  PluginDelete: noPlugin,
  PluginEnable: noPlugin,
  PluginDisable: noPlugin,
  PluginUpgrade: noPlugin,
  PluginCreate: noPlugins,
  PluginPush: noPlugin,
  PluginSet: noPlugin,
};

const noCheckpoints = () => {
  throw notImplemented(
    'This experimental feature is disabled by default. Start the Docker daemon in experimental ' +
      'mode in order to enable it.');
};

/** Handlers of the operations on checkpoints, as those of an engine that is not experimental. */
export const checkpointRoutes = {
  CheckpointList: noCheckpoints,
  CheckpointCreate: noCheckpoints,
  CheckpointDelete: noCheckpoints,
};

/** Handlers of the operations on a swarm. */
export const swarmRoutes = {
  SwarmInspect: notManager,
  SwarmInit: noSwarm,
  SwarmJoin: noSwarm,
  SwarmLeave: () => {
    throw unavailable('This node is not part of a swarm');
  },
  SwarmUpdate: notManager,
  SwarmUnlockkey: notManager,
  SwarmUnlock: notManager,
  NodeList: notManager,
  NodeInspect: notManager,
  NodeDelete: notManager,
  NodeUpdate: notManager,
  ServiceList: notManager,
  ServiceCreate: notManager,
  ServiceInspect: notManager,
  ServiceDelete: notManager,
  ServiceUpdate: notManager,
  ServiceLogs: notManager,
  TaskList: notManager,
  TaskInspect: notManager,
  TaskLogs: notManager,
  SecretList: notManager,
  SecretCreate: notManager,
  SecretInspect: notManager,
  SecretDelete: notManager,
  SecretUpdate: notManager,
  ConfigList: notManager,
  ConfigCreate: notManager,
  ConfigInspect: notManager,
  ConfigDelete: notManager,
  ConfigUpdate: notManager,
};
