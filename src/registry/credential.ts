import type { EngineError } from '../errors.js'

/** What opens a registry. */
export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** Given to the token service for a token (OAuth 2 refresh token). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A token itself. */
  | { readonly kind: 'registry-token'; readonly token: string }

/** Who knows credentials. */
export interface Credentials {
  /** For a repository of a registry (`docker.io`, `localhost:5000`); null when there are none. Rejects with {@link EngineError}. */
  find(registry: string, path: string): Promise<Credential | null>
}

/** Value of an `Authorization` header (RFC 7617; the charset is UTF-8, as docker sends it). */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
