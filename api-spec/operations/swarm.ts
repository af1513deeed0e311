/** Operations on a swarm: this engine is never part of one, and answers 503 as Docker does then. */
import { emptyOk, operation, type Operation } from '../operation.js';

const swarmed = <
  const Id extends string,
  const Method extends Operation['method'],
  const Url extends Operation['url'],
>(
  operationId: Id,
  method: Method,
  url: Url,
) =>
  operation({
    operationId,
    method,
    url,
    summary: 'Answers 503: this engine is not part of a swarm.',
    since: 24,
    answer: emptyOk,
  });

export const SwarmInspect = swarmed('SwarmInspect', 'GET', '/swarm');
export const SwarmInit = swarmed('SwarmInit', 'POST', '/swarm/init');
export const SwarmJoin = swarmed('SwarmJoin', 'POST', '/swarm/join');
export const SwarmLeave = swarmed('SwarmLeave', 'POST', '/swarm/leave');
export const SwarmUpdate = swarmed('SwarmUpdate', 'POST', '/swarm/update');
export const SwarmUnlockkey = swarmed('SwarmUnlockkey', 'GET', '/swarm/unlockkey');
export const SwarmUnlock = swarmed('SwarmUnlock', 'POST', '/swarm/unlock');
export const NodeList = swarmed('NodeList', 'GET', '/nodes');
export const NodeInspect = swarmed('NodeInspect', 'GET', '/nodes/:id');
export const NodeDelete = swarmed('NodeDelete', 'DELETE', '/nodes/:id');
export const NodeUpdate = swarmed('NodeUpdate', 'POST', '/nodes/:id/update');
export const ServiceList = swarmed('ServiceList', 'GET', '/services');
export const ServiceCreate = swarmed('ServiceCreate', 'POST', '/services/create');
export const ServiceInspect = swarmed('ServiceInspect', 'GET', '/services/:id');
export const ServiceDelete = swarmed('ServiceDelete', 'DELETE', '/services/:id');
export const ServiceUpdate = swarmed('ServiceUpdate', 'POST', '/services/:id/update');
export const ServiceLogs = swarmed('ServiceLogs', 'GET', '/services/:id/logs');
export const TaskList = swarmed('TaskList', 'GET', '/tasks');
export const TaskInspect = swarmed('TaskInspect', 'GET', '/tasks/:id');
export const TaskLogs = swarmed('TaskLogs', 'GET', '/tasks/:id/logs');
export const SecretList = swarmed('SecretList', 'GET', '/secrets');
export const SecretCreate = swarmed('SecretCreate', 'POST', '/secrets/create');
export const SecretInspect = swarmed('SecretInspect', 'GET', '/secrets/:id');
export const SecretDelete = swarmed('SecretDelete', 'DELETE', '/secrets/:id');
export const SecretUpdate = swarmed('SecretUpdate', 'POST', '/secrets/:id/update');
export const ConfigList = swarmed('ConfigList', 'GET', '/configs');
export const ConfigCreate = swarmed('ConfigCreate', 'POST', '/configs/create');
export const ConfigInspect = swarmed('ConfigInspect', 'GET', '/configs/:id');
export const ConfigDelete = swarmed('ConfigDelete', 'DELETE', '/configs/:id');
export const ConfigUpdate = swarmed('ConfigUpdate', 'POST', '/configs/:id/update');
