/**
 * Carries out batches of steps, synchronously, on the thread that calls it: the worker's. It keeps
 * one rtnetlink socket and one nft context for its own namespace; those of other namespaces live
 * for one run of steps there.
 */
import * as fs from 'node:fs';
import koffi from 'koffi';
import { ErrnoError } from '../errno-error.js';
import { insideNetns, makeNetns, openNetns, type Netns } from '../netns.js';
import { openNftables, undisturbed, type Nftables } from '../nftables.js';
import { openInetSocket } from './inet-socket.js';
import { decodeGeneration, forgetUdp, getGeneration } from './nfnetlink.js';
import type { NetlinkMessage } from './message.js';
import { elementBatch, type NftElementChange } from './nft-elements.js';
import * as rt from './rtnetlink.js';
import { netlinkProtocols, openNetlinkSocket, type NetlinkSocket } from './socket.js';
import type { AddLink, SetLink, Step } from './steps.js';

const libc = koffi.load(null);
const ifNameToIndex = libc.func('if_nametoindex', 'uint', ['str']);

/** The sockets of one namespace, opened when first needed. */
interface Place {
  readonly route: () => NetlinkSocket;
  readonly netfilter: () => NetlinkSocket;
  readonly nft: () => Nftables;
  close(): void;
}

/** Runs batches; throws what the failing step threw, with the index of it in `failedStep`. */
export interface Executor {
  run(steps: readonly Step[]): readonly unknown[];
  /** Index of the step that the last `run` was at. */
  readonly failedStep: () => number;
  close(): void;
}

/** Makes an executor for the namespace that the thread is in. */
export function createExecutor(): Executor {
  const home = openPlace();
  let at = 0;
  const runHere = (place: Place, steps: readonly Step[], answers: unknown[]): void => {
    for (const step of steps) {
      at = answers.length;
      answers.push(attempt(place, step));
    }
  };
  return {
    run: (steps) => {
      const answers: unknown[] = [];
      for (const [netns, part] of runsOfOnePlace(steps)) {
        if (netns === undefined) runHere(home, part, answers);
        else runInside(netns, (place) => runHere(place, part, answers));
      }
      return answers;
    },
    failedStep: () => at,
    close: () => home.close(),
  };
}

function runInside(netns: Netns, work: (place: Place) => void): void {
  const netnsFd = openNetns(netns);
  try {
    insideNetns(netnsFd, () => {
      const place = openPlace();
      try {
        work(place);
      } finally {
        place.close();
      }
    });
  } finally {
    fs.closeSync(netnsFd);
  }
}

function openPlace(): Place {
  let route: NetlinkSocket | undefined;
  let netfilter: NetlinkSocket | undefined;
  let nft: Nftables | undefined;
  return {
    route: () => (route ??= openNetlinkSocket(netlinkProtocols.route)),
    netfilter: () => (netfilter ??= openNetlinkSocket(netlinkProtocols.netfilter)),
    nft: () => (nft ??= openNftables()),
    close: () => {
      route?.close();
      netfilter?.close();
      nft?.close();
    },
  };
}

/** Cuts a batch into stretches of the same namespace. */
function runsOfOnePlace(
  steps: readonly Step[],
): readonly (readonly [Netns | undefined, Step[]])[] {
  const runs: [Netns | undefined, Step[]][] = [];
  for (const step of steps) {
    const last = runs.at(-1);
    if (last !== undefined && isSame(last[0], step.netns)) last[1].push(step);
    else runs.push([step.netns, [step]]);
  }
  return runs;
}

function isSame(one: Netns | undefined, other: Netns | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return 'pid' in one
    ? 'pid' in other && one.pid === other.pid
    : 'fd' in other && one.fd === other.fd;
}

function attempt(place: Place, step: Step): unknown {
  try {
    return carryOut(place, step);
  } catch (error) {
    if (error instanceof ErrnoError && step.tolerate?.includes(error.code)) return undefined;
    throw error;
  }
}

function carryOut(place: Place, step: Step): unknown {
  switch (step.do) {
    case 'addLink':
      return addLink(place, step);
    case 'setLink':
      return setLink(place, step);
    case 'makeNetns':
      return makeNetns();
    case 'openSocket':
      return openInetSocket(step);
    case 'presentLinks':
      return step.names.filter((name) => ifNameToIndex(name) !== 0);
    case 'sysctl':
      return withSysctl(step.name, (path) => fs.writeFileSync(path, step.value));
    case 'readSysctl':
      return withSysctl(step.name, (path) => fs.readFileSync(path, 'utf8').trim());
    default:
      return isFilterStep(step) ? carryOutFilter(place, step) : carryOutRoute(place, step);
  }
}

type FilterStep = Extract<Step, { readonly do: 'nft' | 'nftElements' | 'nftGeneration'
  | 'forgetUdp' }>;

const filterSteps: ReadonlySet<string> = new Set<FilterStep['do']>([
  'nft', 'nftElements', 'nftGeneration', 'forgetUdp',
]);

function isFilterStep(step: Step): step is FilterStep {
  return filterSteps.has(step.do);
}

function carryOutFilter(place: Place, step: FilterStep): unknown {
  switch (step.do) {
    case 'nft':
      return place.nft().run(step.commands, step.format);
    case 'nftElements':
      return changeElements(place, step.changes);
    case 'nftGeneration':
      return readGeneration(place);
    case 'forgetUdp':
      return void place.netfilter().request(forgetUdp(step.port), 'CT_DELETE', `udp ${step.port}`);
  }
}

type ChangeStep = Extract<Step, { readonly do: 'deleteLink' | 'addAddress' | 'deleteAddress'
  | 'addRoute' | 'deleteRoute' | 'setNeighbour' | 'deleteNeighbour' }>;
type DumpStep = Extract<Step, { readonly do: 'links' | 'addresses' | 'routes' | 'neighbours' }>;

function carryOutRoute(place: Place, step: ChangeStep | DumpStep): unknown {
  const socket = place.route();
  switch (step.do) {
    case 'links':
      return dump(socket, rt.dumpLinks(), rt.messageTypes.RTM_NEWLINK, rt.decodeLink);
    case 'addresses':
      return dump(socket, rt.dumpAddresses(), rt.messageTypes.RTM_NEWADDR, rt.decodeAddress);
    case 'routes':
      return dump(socket, rt.dumpRoutes(), rt.messageTypes.RTM_NEWROUTE, rt.decodeRoute);
    case 'neighbours':
      return dump(socket, rt.dumpNeighbours(), rt.messageTypes.RTM_NEWNEIGH, rt.decodeNeighbour);
    default: {
      const [message, about] = changeMessage(step);
      return void socket.request(message, messageName(message.type), about);
    }
  }
}

function changeMessage(step: ChangeStep): readonly [NetlinkMessage, about: string] {
  switch (step.do) {
    case 'deleteLink':
      return [rt.deleteLink(indexOf(step.name)), step.name];
    case 'addAddress':
      return [rt.newAddress(indexOf(step.link), step.cidr), `${step.cidr} on ${step.link}`];
    case 'deleteAddress':
      return [rt.deleteAddress(indexOf(step.link), step.cidr), `${step.cidr} on ${step.link}`];
    case 'addRoute':
      return [rt.newRoute(routeOf(step)), step.destination];
    case 'deleteRoute':
      return [rt.deleteRoute(routeOf(step)), step.destination];
    case 'setNeighbour':
      return [rt.newNeighbour({ ...step, index: indexOf(step.link) }), step.address];
    case 'deleteNeighbour':
      return [rt.deleteNeighbour({ ...step, index: indexOf(step.link) }), step.address];
  }
}

function dump<T>(
  socket: NetlinkSocket,
  message: NetlinkMessage,
  answerType: number,
  decode: (payload: Buffer) => T,
): readonly T[] {
  return socket
    .request(message, messageName(message.type), 'dump')
    .filter(({ type }) => type === answerType)
    .map(({ payload }) => decode(payload));
}

function messageName(type: number): string {
  return Object.entries(rt.messageTypes).find(([, number]) => number === type)?.[0] ?? 'rtnetlink';
}

/** Index of a link by name; without rtnl's lock. Throws ENODEV. */
function indexOf(name: string): number {
  // koffi declares if_nametoindex as uint.
  const index = ifNameToIndex(name) as number;
  if (index === 0) throw new ErrnoError('if_nametoindex', 'ENODEV', name);
  return index;
}

function addLink(place: Place, step: AddLink): undefined {
  const { master, kind, peer, ...rest } = step;
  const common = master === undefined ? rest : { ...rest, master: indexOf(master) };
  const socket = place.route();
  if (kind !== 'veth') {
    socket.request(rt.newLink({ ...common, kind }), 'RTM_NEWLINK', step.name);
    return;
  }
  if (peer === undefined) throw new ErrnoError('RTM_NEWLINK', 'EINVAL', `${step.name}: no peer`);
  const netnsFd = peer.netns === undefined ? -1 : openNetns(peer.netns);
  try {
    const spec = { ...common, kind, peer: { ...peer, netnsFd } };
    socket.request(rt.newLink(spec), 'RTM_NEWLINK', `${step.name} ${peer.name}`);
  } finally {
    if (netnsFd >= 0) fs.closeSync(netnsFd);
  }
}

function setLink(place: Place, step: SetLink): undefined {
  const { name, rename, master, ...rest } = step;
  const change: rt.LinkChange = {
    ...rest,
    ...(rename === undefined ? {} : { name: rename }),
    ...(master === undefined ? {} : { master: indexOf(master) }),
  };
  place.route().request(rt.setLink(indexOf(name), change), 'RTM_NEWLINK', name);
}

function routeOf(step: {
  readonly destination: string;
  readonly gateway?: string;
  readonly link?: string;
}): rt.Route {
  return {
    destination: step.destination,
    ...(step.gateway === undefined ? {} : { gateway: step.gateway }),
    ...(step.link === undefined ? {} : { index: indexOf(step.link) }),
  };
}

function withSysctl<Result>(name: string, work: (path: string) => Result): Result {
  if (!/^[a-z0-9_]+([./][A-Za-z0-9_:/-]+)+$/.test(name) || name.includes('..')) {
    throw new ErrnoError('open', 'EINVAL', `sysctl ${name}`);
  }
  const path = name.split('.').map((part) => part.replaceAll('/', '.')).join('/');
  try {
    return work(`/proc/sys/${path}`);
  } catch (error) {
    // The file calls throw nothing but Node's own error with the errno's name as its code.
    throw new ErrnoError('open', (error as NodeJS.ErrnoException).code ?? 'EIO', `sysctl ${name}`);
  }
}

function changeElements(place: Place, changes: readonly NftElementChange[]): undefined {
  if (changes.length === 0) return;
  const about = changes.map(({ action, set }) => `${action} in ${set}`).join(', ');
  const batch = elementBatch(changes);
  undisturbed(() => place.netfilter().transact(batch, 'nft', about));
}

function readGeneration(place: Place): number {
  const [answer] = place.netfilter().request(getGeneration(), 'NFT_MSG_GETGEN', 'generation');
  return answer === undefined ? 0 : decodeGeneration(answer.payload);
}
