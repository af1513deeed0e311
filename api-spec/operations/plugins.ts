/** Operations on managed plugins: there are none, and the answers say so. */
import { Type } from 'typebox';
import { emptyOk, json, noContent, operation, type Operation } from '../operation.js';

const summary = 'Managed plugins are not supported: there is none by any name.';

const missing = <
  const Id extends string,
  const Method extends Operation['method'],
  const Url extends Operation['url'],
>(
  operationId: Id,
  method: Method,
  url: Url,
) => operation({ operationId, method, url, summary, since: 25, answer: emptyOk });

export const PluginList = operation({
  operationId: 'PluginList',
  method: 'GET',
  url: '/plugins',
  summary: 'Lists managed plugins: none.',
  since: 25,
  filters: ['capability', 'enabled'],
  answer: json(Type.Array(Type.Object({}))),
});

export const GetPluginPrivileges = missing('GetPluginPrivileges', 'GET', '/plugins/privileges');
export const PluginPull = missing('PluginPull', 'POST', '/plugins/pull');
export const PluginInspect = missing('PluginInspect', 'GET', '/plugins/:name/json');
export const PluginDelete = missing('PluginDelete', 'DELETE', '/plugins/:name');
export const PluginEnable = missing('PluginEnable', 'POST', '/plugins/:name/enable');
export const PluginDisable = missing('PluginDisable', 'POST', '/plugins/:name/disable');
export const PluginUpgrade = missing('PluginUpgrade', 'POST', '/plugins/:name/upgrade');
export const PluginCreate = operation({
  operationId: 'PluginCreate',
  method: 'POST',
  url: '/plugins/create',
  summary,
  since: 25,
  answer: noContent,
});
export const PluginPush = missing('PluginPush', 'POST', '/plugins/:name/push');
export const PluginSet = missing('PluginSet', 'POST', '/plugins/:name/set');
