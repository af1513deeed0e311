import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { CommandError, messageOf } from '../errors.js';

/** Where the engine listens. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string; readonly shown: string }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls: ConnectionOptions | undefined;
      readonly shown: string;
    };

/** What the global flags said; absent ones give way to the environment. */
export interface EndpointChoice {
  readonly host: string | undefined;
  readonly tls: boolean;
  readonly tlsVerify: boolean;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

const defaultSocket = 'unix:///var/run/tsdocker.sock';
const plainPort = 2375;
const tlsPort = 2376;

/**
 * `-H`, then `DOCKER_HOST`, then our own socket. Throws CommandError for what cannot be dialled.
 */
export function resolveEndpoint(choice: EndpointChoice, environment = process.env): Endpoint {
  const shown = choice.host ?? (environment['DOCKER_HOST'] || defaultSocket);
  const parts = /^(?:([a-z]+):\/\/)?(.*)$/.exec(shown);
  const scheme = parts?.[1] ?? 'tcp';
  const address = parts?.[2] ?? '';
  if (scheme === 'unix') return { kind: 'unix', path: address, shown };
  if (!['tcp', 'http', 'https'].includes(scheme)) {
    throw new CommandError(
      `unable to parse docker host \`${shown}\`: only unix:// and tcp:// work here`,
    );
  }
  const tls = tlsOptions(choice, environment, scheme === 'https');
  const url = new URL(`http://${address.replace(/\/+$/, '')}`);
  const port = url.port === '' ? (tls === undefined ? plainPort : tlsPort) : Number(url.port);
  return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port, tls, shown };
}

function tlsOptions(
  choice: EndpointChoice,
  environment: NodeJS.ProcessEnv,
  isHttps: boolean,
): ConnectionOptions | undefined {
  const isSet = (name: string): boolean => (environment[name] ?? '') !== '';
  const verifies = choice.tlsVerify || isSet('DOCKER_TLS_VERIFY');
  if (![verifies, choice.tls, isHttps, isSet('DOCKER_TLS')].includes(true)) return undefined;
  const folder = environment['DOCKER_CERT_PATH'] || configFolder(environment);
  const read = (given: string | undefined, name: string): Buffer | undefined =>
    readOptional(given ?? join(folder, name), given !== undefined);
  const ca = verifies ? read(choice.caFile, 'ca.pem') : undefined;
  const cert = read(choice.certFile, 'cert.pem');
  const key = read(choice.keyFile, 'key.pem');
  const files = Object.entries({ ca, cert, key });
  return {
    rejectUnauthorized: verifies,
    ...Object.fromEntries(files.filter(([, file]) => file !== undefined)),
  };
}

/** The folder of config.json and certificates: `DOCKER_CONFIG` or ~/.docker. */
export function configFolder(environment = process.env): string {
  return environment['DOCKER_CONFIG'] || join(homedir(), '.docker');
}

function readOptional(path: string, isRequired: boolean): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (problem) {
    if (!isRequired) return undefined;
    throw new CommandError(`unable to read ${path}: ${messageOf(problem)}`, 1, { cause: problem });
  }
}
