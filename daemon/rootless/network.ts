/** The way out of the daemon's network namespace: pasta, which is root of nothing. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { HolderPlaces } from './places.js';
import { runTool } from './tools.js';

/** Where names are asked for inside: pasta passes that on to the host's own resolver. */
const resolver = '169.254.1.1';

/**
 * Gives the namespace an interface with the host's addresses and routes; without the host's
 * loopback, as Docker's. Without a way out on the host there is none inside either, and a warning.
 */
export async function connectNetwork(
  pasta: string,
  pid: number,
  { places, warn }: { readonly places: HolderPlaces; readonly warn: (message: string) => void },
): Promise<void> {
  const text = readFileSync('/etc/resolv.conf', 'utf8');
  try {
    await runTool(pasta, [
      '--config-net', '--no-map-gw', '--dns-forward', resolver,
      '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none',
      '--userns', `/proc/${pid}/ns/user`, '--netns', places.network,
    ]);
    writeFileSync(places.resolvConf, resolvConf(text));
  } catch (error) {
    warn(`containers have no way out to other machines: ${String(error)}`);
    writeFileSync(places.resolvConf, text);
  }
}

/** The host's with another server. Pure. */
export function resolvConf(hosts: string): string {
  const rest = hosts.split('\n').filter((line) => !/^\s*nameserver\b/.test(line));
  return [...rest.filter((line) => line.trim() !== ''), `nameserver ${resolver}`, ''].join('\n');
}
