/** Credentials for registries, the answer to a login, and what builds are granted. */
import { Type } from 'typebox';
import { map, optional, text, type Shape } from './shape.js';

/** Credentials for one registry; the wire's own lower-case names. */
export const AuthConfig = Type.Object({
  username: optional(text),
  password: optional(text),
  auth: optional(text),
  email: optional(text),
  serveraddress: optional(text),
  identitytoken: optional(text),
  registrytoken: optional(text),
});
/** Credentials for one registry; the wire's own lower-case names. */
export type AuthConfig = Shape<typeof AuthConfig>;

/** Answer to SystemAuth. */
export const AuthResponse = Type.Object({ Status: text, IdentityToken: text });
/** Answer to SystemAuth. */
export type AuthResponse = Shape<typeof AuthResponse>;

/**
 * What a client grants the `RUN --mount=type=secret|ssh` of a build, by id: secrets in base64, and
 * absolute paths of sockets, on the engine's host, that agents listen on. Not in Docker.
 */
export const BuildGrants = Type.Object({
  Secrets: optional(map(text)),
  SSH: optional(map(text)),
});
/** What a client grants a build. */
export type BuildGrants = Shape<typeof BuildGrants>;
