/** Where a create, or the start after it, means to answer otherwise, and why. */
import type { Intended } from './intention.js';

/** The list of these. */
export const intendedOfCreate: readonly Intended[] = [
  {
    isChance: true,
    of: /^create exposed .*"18000-18010"/,
    path: /\.HostPort$/,
    reference: /^"180(?:0\d|10)"$/,
    ours: /^"180(?:0\d|10)"$/,
    reason: 'which port of a range is free depends on others',
  },
  {
    isChance: true,
    of: /^create on two networks by an old client/,
    path: /^message$/,
    reference: /multiple network endpoints: (?:bridge, tsdiff-net|tsdiff-net, bridge)"$/,
    ours: /multiple network endpoints: tsdiff-net, bridge"$/,
    reason: 'Go tells the keys of a map in any order',
  },
  {
    of: /^create in \/etc\/passwd\/x/,
    path: /^message$/,
    reference: /merged\/etc\/passwd\/x: not a directory/,
    ours: /^"Cannot mkdir: \/etc\/passwd\/x is not a directory"$/,
    reason: 'where an engine keeps its layers is nothing to tell',
  },
  {
    of: /^create(?: \w|: (?:a host network|host IPC))/,
    path: /^status$/,
    reference: /^201 /,
    ours: new RegExp('^400 .*"message":"(?:' + [
      'invalid reference format', 'invalid specification: destination', 'invalid CPU shares',
      'the m(?:ax|in)imum allowed cpu-shares', 'cpu real-time limits',
      'invalid device cgroup rule', 'could not select device driver', 'ulimit soft limit',
      'invalid ulimit type', 'invalid size', 'max-file cannot', 'No such container: nope',
      'mount options conflict', 'invalid mount config for type', 'bad nameserver address',
      'failed to join IPC namespace', 'invalid IPC mode', 'Decoding seccomp profile failed: Unex',
      'invalid tmpfs option', 'sysctl ', 'invalid link local IP address',
    ].join('|') + ')', 's'),
    reason: 'what every start of the container would refuse is refused when it is made',
  },
  {
    of: /^create (?:ExposedPorts|PortBindings|exposed)/,
    path: /^status$/,
    reference: /^201 /,
    ours: /^400 .*invalid (?:port specification|IP address in port binding)/s,
    reason: 'Docker publishes nothing, or elsewhere, and says nothing: what is no port is refused',
  },
  {
    of: /^create (?:StopSignal "99"|BlkioWeight (?:9|1001)|Devices .*"xyz")/,
    path: /^status$/,
    reference: /^201 /,
    ours: /^400 .*(?:invalid signal: 99|Range of blkio|invalid device access permissions: xyz)/s,
    reason: 'a value that no kernel takes is refused, also where it would never be looked at',
  },
  {
    of: /^create SecurityOpt \["seccomp=\{\}"\]/,
    path: /^status$/,
    reference: /^201 /,
    ours: /^400 .*Decoding seccomp profile failed: unknown action/s,
    reason: 'a profile without an action confines nothing: who gives one does not mean that',
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
    of: /^create NetworkMode "container:/,
    path: /^(?:Config\.Hostname|NetworkSettings\.SandboxID)$/,
    reason: 'who joins another is told of it when it starts',
  },
  {
    of: /^create DeviceRequests .*"cdi"/,
    path: /^(?:message|State\.Error)$/,
    reference: /could not select device driver \\"cdi\\"/,
    ours: /^"(?:CDI device injection failed: unresolvable|unexpected count in CDI device request)/,
    reason: 'CDI is switched on by default, as in later versions',
  },
  {
    of: /^create DeviceRequests .*"cdi"/,
    path: /^HostConfig\.DeviceRequests\[0\]\.(?:Capabilities|DeviceIDs|Options)$/,
    reference: /^null$/,
    ours: /absent/,
    reason: 'a list of a request that nobody gave is left out: Go reads both as nil',
  },
  {
    of: /^create OomScoreAdj/,
    path: /^(?:status|Warnings\[\]|State\.|NetworkSettings\.|\w+Path)/,
    reason: 'where it may not be lowered it is passed over, and warned of',
  },
  {
    of: /^create SecurityOpt \["(?:systempaths|writable-cgroups)/,
    path: /^status$/,
    reason: 'options of later versions',
  },
  {
    of: /^create(?: PortBindings|: all ports)/,
    path: /^NetworkSettings\.Ports\.\d+\/(?:tcp|udp)$/,
    reference: /absent/,
    reason: 'a port that is to be published is, exposed or not: Docker passes it over in silence',
  },
  {
    of: /^create in .*\{"tsdiff-net":null\}/,
    path: /^status$/,
    reference: /^400 .*EndpointsConfig is nil|^404 .*No such container: tsdiff-x/s,
    reason: 'null is absence, here too: older SDKs send it for a network without settings',
  },
  {
    of: /^create Volumes/,
    path: /^Mounts\[0\]\.Destination$/,
    reason: 'a destination is a path, and told as one',
  },
  {
    isChance: true,
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
