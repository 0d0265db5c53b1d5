import { EngineError } from '../errors.js'
import { parseReference } from '../reference/normalize.js'
import type { Credentials } from './credential.js'
import { CredentialFile, type SavedCredential } from './credential-file.js'
import { type OpenClientOptions, openClient } from './open-client.js'

/** What {@link login} is told. */
export interface LoginRequest {
  /** `docker.io`, `localhost:5000`, or a URL of one. */
  readonly registry: string
  readonly username: string
  readonly password: string
  readonly signal?: AbortSignal | undefined
}

/** Tries a password at its registry and keeps it when it opens it. Rejects with ACCESS_DENIED, REGISTRY_FAILED, INVALID_ARGUMENT. */
export async function login(
  { registry, username, password, signal }: LoginRequest,
  options: OpenClientOptions = {},
): Promise<SavedCredential> {
  const name = registryName(registry)
  if (username === '' || /[:\u0000-\u001f\u007f]/.test(username))
    throw new EngineError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(username)} is no username: it is empty, or has a colon or a control character`,
    )
  if (password === '') throw new EngineError('INVALID_ARGUMENT', 'the password is empty')
  // Nobody else's: a mirror is not asked, and would not be told.
  const credentials: Credentials = { find: async (asked) => (asked === name ? { kind: 'password', username, password } : null) }
  using opened = await openClient({ ...options, credentials })
  await opened.client.check(name, signal)
  return await new CredentialFile(options.environment ?? process.env).save(name, username, password)
}

/** Forgets the password of a registry; false when there was none. */
export function logout(registry: string, environment: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  return new CredentialFile(environment).erase(registryName(registry))
}

/** The registry that a user means: docker's own URL, a URL or a host. Throws INVALID_ARGUMENT. */
export function registryName(typed: string): string {
  const host = typed
    .trim()
    .replace(/^https?:\/\//, '')
    .replace(/\/(v[12]\/?)?$/, '')
  if (host === '' || ['index.docker.io', 'registry-1.docker.io', 'docker.io'].includes(host)) return 'docker.io'
  try {
    const { domain } = parseReference(`${host}/name`)
    if (domain === host) return domain
  } catch {
    // Said below.
  }
  throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(typed)} is no registry`, {
    hint: 'Write its host with an optional port: localhost:5000, registry.example. A name without a dot needs a port.',
  })
}
