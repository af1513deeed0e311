/** Where this engine means to answer otherwise, and why: the whole list. */
import type { Difference } from './compare.js';

/** Differences that need no mending. */
export interface Intended {
  /** Of the case's name with the request; all when missing. */
  readonly of?: RegExp;
  /** Where in the answer. */
  readonly path?: RegExp;
  readonly reference?: RegExp;
  readonly ours?: RegExp;
  readonly reason: string;
}

/** The list. */
export const intended: readonly Intended[] = [
  {
    path: /^(?:status|message)$/,
    reference: /^(?:400 .*|500 .*)?"?.*cannot unmarshal/s,
    ours: /cannot unmarshal|^400 .*(?:Range of|range from)|^"Range of/s,
    reason: 'Go tells the names of its own structs and types; we the field',
  },
  {
    path: /^status$/,
    reference: /^500 /,
    ours: /^4(?:00|03|09) /,
    reason: 'bad input is no fault of the server: where Docker says 500, we say 4xx',
  },
  {
    path: /^status$/,
    reference: /^(?:500|400) .*cannot unmarshal number 1e8/s,
    reason: 'a whole number may be written with an exponent: JSON knows no integers',
  },
  {
    path: /^message$/,
    reference: /^"invalid JSON: invalid character/,
    ours: /^"invalid JSON: invalid character/,
    reason: 'the syntax error is told by V8: with a position, without the character',
  },
  {
    path: /^(?:status|message)$/,
    reference: /(?:Maximum supported API version is 1\.45)/,
    reason: 'this engine speaks later versions of the API',
  },
  {
    path: /^status$/,
    reference: /^301 /,
    reason: 'a path with empty parts is no other path; Docker redirects it to one that is none',
  },
  {
    of: /%zz\/json/,
    path: /^(?:text|header )/,
    reason: 'a malformed path is refused as every error is, in JSON',
  },
  {
    path: /^status$/,
    reference: /^0 /,
    reason: 'the reference engine crashed on this request',
  },
  {
    path: /^status$/,
    reference: /^20\d /,
    ours: /^40[04] /,
    of: /^(?:create|update)/,
    reason: 'what a start would refuse, or nobody could mean, is refused at once',
  },
  {
    of: /events.*filter|events\?/,
    path: /^status$/,
    reference: /^200 /,
    ours: /^400 .*invalid filter/s,
    reason: 'an unknown filter of events is refused as every other list refuses it',
  },
  {
    of: /filters/,
    path: /^status$/,
    reference: /^400 .*invalid filter"/s,
    ours: /^200 /,
    reason: 'the two ways to write filters may be mixed',
  },
  {
    path: /^(?:Driver|GraphDriver\.Name)$/,
    reason: 'the storage driver is named after what it does, not after its second version',
  },
  {
    path: /^GraphDriver\.Data$/,
    reason: 'layers are stacked by diffID when a container starts: there are no folders to tell',
  },
  {
    path: /^HostConfig\.(?:MaskedPaths|ReadonlyPaths)/,
    reason: 'the later default of Docker, which masks more',
  },
  {
    path: /^NetworkSettings\.SandboxKey$/,
    reason: 'a network namespace is found by its process: nothing of ours is mounted in the host',
  },
  {
    path: /^(?:State\.Pid|NetworkSettings\.(?:Networks\.[\w-]+\.)?IPPrefixLen)$/,
    reason: 'of the moment, or of the address pools that the engines were given',
  },
  {
    path: /memory_stats\.stats\./,
    reference: /absent/,
    reason: 'all that the kernel tells of memory, where Docker has a choice of it',
  },
  {
    path: /^(?:id|name|os_type)$/,
    of: /stats/,
    reference: /absent/,
    reason: 'a sample says whose it is however it was asked for',
  },
  {
    of: /GET \/version/,
    path: /^Components\[\]\.Details\./,
    reason: 'made of other parts',
  },
  {
    of: /GET \/info/,
    path: /^(?:Default|Firewall|Runtimes\.|\w+Commit\.Expected|RegistryConfig\.Allow)/,
    reason: 'made of other parts, and of a later version',
  },
  {
    path: /^(?:status|message)$/,
    ours: /^501 .*(?:swarm mode|managed plugins)|^503 .*not a swarm manager|^404 .*plugin/s,
    reason: 'no swarm and no managed plugins: said before the request is looked at',
  },
  {
    path: /^message$/,
    of: /auth/,
    reference: /dial tcp: lookup/,
    reason: 'the resolver\'s own words',
  },
  {
    path: /^(?:message|State\.Error)$/,
    reference: /failed to create shim task|runc/,
    ours: /OCI runtime|Cannot update/,
    reason: 'there is no containerd and no runc to be named; what clients look for is the same',
  },
  {
    of: /^GET \/v/,
    path: /^header docker-experimental$/,
    reason: 'said on every answer of the API, a refused version included',
  },
  {
    of: /start|attach/,
    path: /^header connection$/,
    reason: 'without an upgrade the end of the output is the end of the connection, and said so',
  },
  {
    path: /^(?:text|message)$/,
    reference: /Error: Exec command <\w+> is already running/,
    ours: /Error: Exec command <\w+> has already run/,
    reason: 'the process has ended by then',
  },
  {
    of: /exec/,
    path: /^ExitCode$/,
    reference: /^null$/,
    ours: /^0$/,
    reason: 'the process has ended by then',
  },
  {
    of: /^exec .*"Env":\["=x"\]/,
    reason: 'a variable without a name is refused when the exec is made, as for a container',
  },
  {
    path: /VirtualSize$/,
    reference: /absent/,
    reason: 'old clients read it; Docker leaves it out of late versions',
  },
  {
    path: /^(?:\[\]\.)?EnableIPv4$/,
    reference: /absent/,
    reason: 'a field of a later version',
  },
  {
    of: /GET \/events$/,
    reason: 'a shared reference engine has events of others',
  },
  {
    of: /checkpoints/,
    path: /^status$/,
    reason: 'checkpoints are for experimental engines alone: the routes are not there',
  },
  {
    of: /checkpoint-dir/,
    path: /^status$/,
    ours: /^403 /,
    reason: 'checkpoints are refused before the state of the container is looked at',
  },
  {
    of: /attach/,
    path: /^header (?:api-version|docker-experimental|ostype|server)$/,
    reference: /absent/,
    reason: 'said on every answer of the API, whoever writes its head',
  },
  {
    of: /attach\/ws/,
    ours: /not websocket protocol|^"application\/json"$|^application\/json$/,
    reason: 'who does not speak the websocket protocol is told so first, in JSON',
  },
  {
    of: /^rename/,
    path: /\.DNSNames$/,
    ours: /^null$/,
    reason: 'the default network has no names: Docker tells some after a rename alone',
  },
  {
    of: /system\/df/,
    path: /^Images\[\]\.RepoDigests$/,
    reason: 'a list without items is one, wherever it is told',
  },
  {
    of: /^create/,
    path: /^(?:status|message)$/,
    ours: /^404 .*No such container: tsdiff-x|^"No such container: tsdiff-x"$/s,
    reason: 'follows from a create that was refused, whose own line is compared',
  },
  {
    of: /^create/,
    path: /^(?:HostnamePath|HostsPath|ResolvConfPath|LogPath|NetworkSettings\.\S+)$/,
    ours: /^""$/,
    reason: 'a start that failed, or a run that is over, leaves nothing of its network',
  },
  {
    of: /^create Cmd \[\]/,
    path: /^State\./,
    reason: 'a shell without input ends at once: of the moment',
  },
  {
    of: /^create (?:Entrypoint|Healthcheck)/,
    path: /^Config\.(?:Entrypoint|Healthcheck(?:\.Test)?)$/,
    reason: 'what was given empty is as good as not given',
  },
  {
    of: /^create NetworkDisabled/,
    path: /^(?:NetworkSettings\.(?:Networks\.bridge|SandboxID)|HostsPath|ResolvConfPath)$/,
    reason: 'without a network there still is a namespace, with files of its own',
  },
  {
    of: /^create (?:Devices|LogConfig|Ulimits)/,
    path: /^(?:status|State\.|NetworkSettings\.|\w+Path)/,
    reference: /^(?!404 )/,
    reason: 'access that is not said is all of it, compressing needs no size that is said, since ' +
      'logs rotate by default, and no limit is as much as the kernel gives',
  },
  {
    of: /^create CpuRealtime/,
    path: /^State\.Error$/,
    reason: 'the kernel refuses it; which file of which group it was is each engine\'s own',
  },
  {
    of: /^create NetworkMode "container:/,
    path: /^(?:Config\.Hostname|NetworkSettings\.SandboxID)$/,
    reason: 'who joins another is told of it when it starts',
  },
  {
    of: /^create OomScoreAdj/,
    path: /^(?:status|Warnings\[\]|State\.|NetworkSettings\.|\w+Path)/,
    reason: 'where it may not be lowered it is passed over, and warned of',
  },
  {
    of: /^create SecurityOpt \["apparmor=nope/,
    path: /^(?:status|State\.|NetworkSettings\.|\w+Path)/,
    ours: /AppArmor profile|^"|^0|^128|^false/,
    reason: 'a profile that cannot confine is refused, never passed over',
  },
  {
    of: /^create SecurityOpt \["(?:systempaths|writable-cgroups)/,
    path: /^status$/,
    reason: 'options of later versions',
  },
  {
    of: /^create Volumes/,
    path: /^Mounts\[0\]\.Destination$/,
    reason: 'a destination is a path, and told as one',
  },
  {
    of: /^create WorkingDir "\/etc\/passwd"/,
    path: /^status$/,
    reason: 'a working directory is made, or found to be none, when the container starts',
  },
  {
    of: /^create Memory 6291456/,
    path: /^(?:status|State\.|NetworkSettings\.|\w+Path)/,
    reason: 'the helpers of other runtimes do not fit into 6 MB',
  },
  {
    of: /^create Blkio/,
    path: /^(?:HostConfig\.BlkioWeight(?:Device\[\])?|Warnings\[\]|State\.Error)$/,
    reason: 'bfq takes weights too; what was asked is shown, and what was discarded warned of',
  },
  {
    of: /^create BlkioWeightDevice/,
    path: /^(?:status|State\.|NetworkSettings\.|\w+Path)/,
    reason: 'what is no block device is refused, also where its weight would be discarded',
  },
];

/** The reason why a difference is meant; undefined for one that is not. */
export function reasonFor(of: string, difference: Difference): string | undefined {
  return intended.find(
    (entry) =>
      matches(entry.of, of) &&
      matches(entry.path, difference.path) &&
      matches(entry.reference, difference.reference) &&
      matches(entry.ours, difference.ours),
  )?.reason;
}

const matches = (pattern: RegExp | undefined, text: string): boolean =>
  pattern === undefined || pattern.test(text);
