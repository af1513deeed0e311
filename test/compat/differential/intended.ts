/** Where this engine means to answer otherwise, and why: the whole list. */
import type { Difference } from './compare.js';
import { intendedOfCreate } from './intended-create.js';
import type { Intended } from './intention.js';

/** Those of all operations but create. */
const general: readonly Intended[] = [
  {
    path: /^(?:status|message)$/,
    reference: /^(?:400 .*|500 .*)?"?.*cannot unmarshal/s,
    ours: /cannot unmarshal|^400 .*(?:Range of|range from)|^"Range of/s,
    reason: 'Go tells the names of its own structs and types; we the field',
  },
  {
    path: /^status$/,
    reference: /^500 .*"message"/,
    ours: /^4(?:00|03|09) .*"message"/,
    reason: 'bad input is no fault of the server: what Docker says with 500, we say with 4xx',
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
    everywhere: true,
    path: /^(?:Driver|GraphDriver\.Name)$/,
    reason: 'the storage driver is named after what it does, not after its second version',
  },
  {
    everywhere: true,
    path: /^GraphDriver\.Data$/,
    reason: 'layers are stacked by diffID when a container starts: there are no folders to tell',
  },
  {
    everywhere: true,
    path: /^HostConfig\.(?:MaskedPaths|ReadonlyPaths)/,
    reason: 'the later default of Docker, which masks more',
  },
  {
    everywhere: true,
    path: /^NetworkSettings\.SandboxKey$/,
    reason: 'a network namespace is found by its process: nothing of ours is mounted in the host',
  },
  {
    isChance: true,
    everywhere: true,
    path: /^(?:(?:State\.)?Pid|NetworkSettings\.(?:Networks\.[\w-]+\.)?IPPrefixLen)$/,
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
    path: /^(?:Default|Firewall|CDISpecDirs|Runtimes\.|\w+Commit\.Expected|RegistryConfig\.Allow)/,
    reason: 'made of other parts, and of a later version',
  },
  {
    path: /^(?:status|message)$/,
    ours: /with swarm mode|^(?:501 .*|")managed plugins|not a swarm manager|^(?:404 .*|")plugin /s,
    reason: 'no swarm and no managed plugins: said before the request is looked at',
  },
  {
    path: /^message$/,
    of: /auth|images\/search/,
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
    isChance: true,
    path: /^(?:text|message)$/,
    reference: /Error: Exec command <\w+> is already running/,
    ours: /Error: Exec command <\w+> has already run/,
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
    isChance: true,
    of: /GET \/events$/,
    reason: 'a shared reference engine has events of others',
  },
  {
    of: /checkpoint-dir/,
    path: /^(?:status|message)$/,
    ours: /custom checkpointdir is not supported/,
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
    of: /^POST \/images\/\S*\/tag ▸/,
    path: /^status$/,
    reference: /^200 $/,
    reason: 'Docker does nothing, and says so, before it has looked whether the image is there',
  },
  {
    of: /^POST \/images\/\S*\/tag\?repo/,
    path: /^status$/,
    reference: /^404 .*invalid reference format/s,
    ours: /^400 .*invalid reference format/s,
    reason: 'what is no name is a bad request wherever it is given',
  },
  {
    isChance: true,
    of: /^DELETE \/images\/\{image\}/,
    path: /^message$/,
    reference: /image (?:is being used by running container|has dependent child images)/,
    ours: /image (?:is being used by running container|has dependent child images)/,
    reason: 'which of several uses of an image is named is chance',
  },
  {
    of: /^POST \/images\/create\?fromSrc=x/,
    path: /^status$/,
    reference: /^500 .*dial tcp: lookup x/s,
    ours: /^200 .*Downloading from .*"errorDetail"/s,
    reason: 'what is fetched is told from the first moment, and so is that it cannot be had',
  },
  {
    of: /^POST \/images\/load/,
    path: /^status$/,
    reference: /^200 .*"errorDetail"/s,
    ours: /^400 .*invalid archive/s,
    reason: 'an archive that is none is refused by its status',
  },
  {
    of: /^GET \/images\/get ▸/,
    path: /^text$/,
    reason: 'an archive of no images: its files have times and an order of their own',
  },
  {
    of: /^POST \/images\/(?:nope|UPPER)\/push/,
    path: /^(?:status|message)$/,
    reference: /missing X-Registry-Auth/,
    reason: 'later versions push without credentials, too',
  },
  {
    of: /^a network .*"Scope":"nope"/,
    path: /^Scope$/,
    reason: 'no network of this engine is of another scope than local',
  },
  {
    of: /^a network .*"EnableIPv6":true\}/,
    path: /^status$/,
    reference: /^404 .*(?:non-overlapping IPv6 address pool|tsdiff-n not found)/s,
    reason: 'as in later versions, a network has an IPv6 range of the engine\'s own',
  },
  {
    of: /^volumes with filters/,
    path: /^message$/,
    reference: /error reading volume filters: invalid filter/,
    ours: /^"invalid filter"$/,
    reason: 'filters that cannot be read are told of in the same words everywhere',
  },
  {
    isChance: true,
    of: /\/stats\?/,
    path: /^blkio_stats\.io_service(?:d|_bytes)_recursive\[\]$/,
    reason: 'whether a program was read from a disk, or lay in memory, is chance',
  },
  {
    of: /^a life/,
    path: /^NetworkSettings\.SandboxID$/,
    ours: /^""$/,
    reason: 'a sandbox ends with the run that it was for',
  },
  {
    of: /^a life: a (?:command|bind)/,
    path: /^(?:\w+Path|NetworkSettings\.Networks\.bridge\.NetworkID)$/,
    ours: /^""$/,
    reason: 'a start that failed leaves nothing of its network and log',
  },
  {
    of: /^a life: a (?:command|bind)/,
    path: /^(?:status|Error\.Message|message)$/,
    reference: /failed to create shim task/,
    ours: /OCI runtime create failed/,
    reason: 'there is no containerd and no runc to be named; what clients look for is the same',
  },
  {
    of: /^exec \{"Cmd":\["\/etc"\]/,
    path: /^text$/,
    reference: /is a directory: unknown: permission denied/,
    ours: /permission denied/,
    reason: 'the kernel\'s one word for a folder that is executed; the code is 126 for both',
  },
  {
    of: /^POST \/images\/create(?:\?fromImage=)? ▸/,
    path: /^message$/,
    reference: /no Host in request URL/,
    reason: 'who names nothing to be made is told so, not of a URL',
  },
  {
    of: /^a network .*"xxxxxxxxxxxxxxxxxxxx"/,
    path: /^message$/,
    reference: /numerical result out of range/,
    reason: 'a name that the kernel cannot have is told as such',
  },
  {
    of: /^POST \/auth /,
    path: /^message$/,
    reference: /^"(?:unexpected )?EOF"$/,
    ours: /^"invalid JSON: .*EOF/,
    reason: 'a body that is none is told of in the same words everywhere',
  },
  {
    of: /^PUT .*archive\?path=\/tmp/,
    path: /^message$/,
    reference: /^"unexpected EOF"$/,
    ours: /^"unexpected EOF in the archive"$/,
    reason: 'of what it is the end is said',
  },
  {
    of: /^update \{"(?:MemorySwap":5|CpuShares":-?1|BlkioWeight":1)\}/,
    path: /^(?:status|message)$/,
    reference: /^200 |runc did not terminate successfully/,
    ours: /You should always set the Memory limit|cpu.shares|CPU shares|Range of blkio weight/,
    reason: 'a limit that no start would take is refused, whether the container runs or not',
  },
  {
    of: /^update \{"CpuRealtimeRuntime":1000\} of one that is running/,
    path: /^status$/,
    reference: /^200 /,
    ours: /^400 .*cpu\.rt_runtime_us/s,
    reason: 'the kernel is asked, and its refusal told: Docker asks it only at the next start',
  },
  {
    of: /^update \{"BlkioWeight":100\}/,
    path: /^Warnings$/,
    reference: /Weight discarded/,
    reason: 'bfq takes weights too',
  },
];

/** The list. */
export const intended: readonly Intended[] = [...general, ...intendedOfCreate];

/** The entry by which a difference is meant; undefined for one that is not. */
export function intentionFor(of: string, difference: Difference): Intended | undefined {
  return intended.find(
    (entry) =>
      matches(entry.of, of) &&
      matches(entry.path, difference.path) &&
      matches(entry.reference, difference.reference) &&
      matches(entry.ours, difference.ours),
  );
}

const matches = (pattern: RegExp | undefined, text: string): boolean =>
  pattern === undefined || pattern.test(text);
