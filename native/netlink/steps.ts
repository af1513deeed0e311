/**
 * What the network worker can be asked to do: plain objects that cross to its thread. A batch is
 * carried out in order and stops at the first error.
 */
import type { Netns } from '../netns.js';
import type { ListingFormat } from '../nftables.js';
import type { NftElementChange } from './nft-elements.js';
import type { Link, LinkAddress, Neighbour, Route } from './rtnetlink.js';

/** Where a step happens, and which errors are none. */
export interface StepPlace {
  /** The network namespace to work in; the daemon's own when absent. */
  readonly netns?: Netns;
  /** Errno names that count as done: `EEXIST`, `ENODEV` … */
  readonly tolerate?: readonly string[];
}

/** A new link. `master` is a link's name; a veth's peer goes to `peer.netns` if given. */
export interface AddLink extends StepPlace {
  readonly do: 'addLink';
  readonly name: string;
  readonly kind: 'bridge' | 'dummy' | 'veth';
  readonly up: boolean;
  readonly mac?: string;
  readonly mtuBytes?: number;
  readonly master?: string;
  readonly peer?: {
    readonly name: string;
    readonly netns?: Netns;
    readonly mac?: string;
    readonly mtuBytes?: number;
  };
}

/** Changes of a link that exists; `master` by name. */
export interface SetLink extends StepPlace {
  readonly do: 'setLink';
  readonly name: string;
  readonly rename?: string;
  readonly up?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: string;
  readonly master?: string;
  readonly alias?: string;
  readonly isolated?: boolean;
  readonly hairpin?: boolean;
  /** An open namespace that it moves to; the fd is the executor's process's. */
  readonly netnsFd?: number;
}

/** A socket born in the step's namespace, NONBLOCK and CLOEXEC; the caller closes its fd. */
export interface OpenSocket extends StepPlace {
  readonly do: 'openSocket';
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly address: string;
  /** 0 for one that the kernel chooses. */
  readonly port: number;
  readonly listen: boolean;
}

/** Every step, by its `do`. */
export type Step =
  | AddLink
  | SetLink
  | (StepPlace & { readonly do: 'deleteLink'; readonly name: string })
  | (StepPlace & { readonly do: 'links' })
  /** Which of `names` exist; takes no lock that a dying namespace holds. */
  | (StepPlace & { readonly do: 'presentLinks'; readonly names: readonly string[] })
  | (StepPlace & { readonly do: 'addAddress'; readonly link: string; readonly cidr: string })
  | (StepPlace & { readonly do: 'deleteAddress'; readonly link: string; readonly cidr: string })
  | (StepPlace & { readonly do: 'addresses' })
  | (StepPlace & {
      readonly do: 'addRoute' | 'deleteRoute';
      readonly destination: string;
      readonly gateway?: string;
      readonly link?: string;
    })
  | (StepPlace & { readonly do: 'routes' })
  | (StepPlace & {
      readonly do: 'setNeighbour' | 'deleteNeighbour';
      readonly link: string;
      readonly address: string;
      readonly mac: string;
    })
  | (StepPlace & { readonly do: 'neighbours' })
  /** Writes below /proc/sys; `name` as `net.ipv4.ip_forward`, a dot in a link's name as `/`. */
  | (StepPlace & { readonly do: 'sysctl'; readonly name: string; readonly value: string })
  | (StepPlace & { readonly do: 'readSysctl'; readonly name: string })
  /** A new network namespace that nobody is in; the caller closes its fd. */
  | (StepPlace & { readonly do: 'makeNetns' })
  | OpenSocket
  /** nft commands, one transaction; answers what they print. */
  | (StepPlace & { readonly do: 'nft'; readonly commands: string; readonly format?: ListingFormat })
  /** Elements of sets and maps, one transaction. */
  | (StepPlace & { readonly do: 'nftElements'; readonly changes: readonly NftElementChange[] })
  /** Makes the kernel forget UDP flows to a port, which keep their old way for 30 s and more. */
  | (StepPlace & { readonly do: 'forgetUdp'; readonly port: number })
  /** A number that changes with every change of the namespace's nftables, by whomever. */
  | (StepPlace & { readonly do: 'nftGeneration' });

/** What `openSocket` answers. */
export interface OpenedSocket {
  readonly fd: number;
  readonly port: number;
}

interface Answers {
  links: readonly Link[];
  presentLinks: readonly string[];
  addresses: readonly LinkAddress[];
  routes: readonly Route[];
  neighbours: readonly Neighbour[];
  readSysctl: string;
  makeNetns: number;
  openSocket: OpenedSocket;
  nft: string;
  nftGeneration: number;
}

type OwnAnswer<S extends Step> = S['do'] extends keyof Answers ? Answers[S['do']] : undefined;

/** The answer to one step; undefined for those that only do, and after an error tolerated. */
export type Answer<S extends Step> = S extends { readonly tolerate: readonly string[] }
  ? OwnAnswer<S> | undefined
  : OwnAnswer<S>;

/** A batch as it crosses to the worker. */
export interface WorkerRequest {
  readonly id: number;
  readonly steps: readonly Step[];
}

/** Its answer; an error carries the fields of an `ErrnoError` and the index of its step. */
export type WorkerReply =
  | { readonly id: number; readonly answers: readonly unknown[] }
  | { readonly id: number; readonly failure: StepFailure };

/** Why a step failed. */
export interface StepFailure {
  readonly step: number;
  readonly syscall: string;
  readonly code: string;
  readonly about: string;
}
