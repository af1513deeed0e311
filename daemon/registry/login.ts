/** `docker login`, the daemon's part: are these credentials good for that registry? */
import type { AuthConfig, AuthResponse } from '../../api-spec/index.js';
import { invalidParameter, systemError, unauthorized } from '../../api-spec/errors.js';
import { Endpoint } from './endpoint.js';
import { RegistryError } from './registry-error.js';
import type { ConfiguredHost } from './registry-hosts.js';
import type { Transport } from './transport.js';

/** One attempt. */
export interface LogIn {
  readonly transport: Transport;
  readonly auth: AuthConfig;
  readonly hubHost: string;
  /** Where a registry is by `hosts.toml`, if that says so. */
  readonly configured: (host: string) => Promise<ConfiguredHost | undefined>;
  readonly signal: AbortSignal;
}

/** A lasting token, where the registry gives one, is for the client to keep: none stays here. */
export async function logIn(request: LogIn): Promise<AuthResponse> {
  const { transport, auth, hubHost, signal } = request;
  const address = addressOf(auth.serveraddress ?? '', hubHost);
  const configured = await request.configured(address);
  const endpoint = new Endpoint({
    transport,
    address,
    auth,
    scope: '',
    offline: true,
    ...(configured === undefined ? {} : { configured }),
  });
  try {
    const answer = await endpoint.send({ method: 'GET', path: '', signal });
    await answer.body.dump();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    throw refusal(error, endpoint.url);
  }
  return { Status: 'Login Succeeded', IdentityToken: endpoint.identityToken };
}

function refusal(error: RegistryError, url: string): Error {
  if (error.code === 'NO_CREDENTIALS' || error.status !== 401) {
    return systemError(error.message, error);
  }
  // From the token server; the registry itself only says no, and Docker words that otherwise.
  if (error.cause instanceof RegistryError) return unauthorized(error.message, error);
  const text = `login attempt to ${url} failed with status: 401 Unauthorized`;
  return systemError(text, error);
}

/** Clients send a host, a URL, or Docker Hub's old index address. */
function addressOf(serverAddress: string, hubHost: string): string {
  const bare = serverAddress.replace(/^https?:\/\//, '');
  const host = bare.split('/', 1)[0] ?? '';
  if (host === '' || host === 'index.docker.io' || host === 'docker.io') return hubHost;
  if (!/^[A-Za-z0-9.-]+(:\d+)?$|^\[[\da-fA-F:]+\](:\d+)?$/.test(host)) {
    throw invalidParameter(
      'unable to parse server address: ' +
        `parse ${JSON.stringify(`https://${bare}`)}: invalid host name`,
    );
  }
  return host;
}
