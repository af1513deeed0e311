/** Credentials for registries, and the answer to a login. */
import { Type } from 'typebox';
import { optional, text, type Shape } from './shape.js';

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
