import { createHash } from 'node:crypto'
import { EngineError } from '../errors.js'
import type { Digest } from '../oci/digest.js'
import { isDigest } from '../oci/digest.js'
import { plainText } from './answer.js'
import type { Scope } from './authorization.js'
import type { Repository } from './session.js'
import type { HttpResponse } from './transport.js'

/** Whether a registry names what it has by the other algorithm of the spec (image-spec, descriptor.md). */
export function isSha512(value: unknown): value is string {
  return typeof value === 'string' && /^sha512:[0-9a-f]{128}$/.test(value)
}

/** sha512 of bytes, as a registry would say it. */
export function sha512Of(bytes: Uint8Array): string {
  return `sha512:${createHash('sha512').update(bytes).digest('hex')}`
}

/** What must be allowed to push to a repository. */
export function pushScope({ path }: Repository): Scope {
  return `repository:${path}:pull,push`
}

/**
 * Throws DIGEST_MISMATCH when a registry says that it has got something else than it was sent. It need not say anything, and may say it by
 * sha512, which is compared where the bytes are at hand.
 */
export function assertSameDigest(response: HttpResponse, expected: Digest, name: string, bytes?: Uint8Array): void {
  const said = response.headers['docker-content-digest']
  if (said === undefined || said === expected || (isSha512(said) && (bytes === undefined || said === sha512Of(bytes)))) return
  response.discard()
  const found = isDigest(said) ? said : plainText(String(said))
  throw new EngineError('DIGEST_MISMATCH', `${name} was sent as ${expected}, but the registry says that it has ${found}`, {
    hint: 'The registry, or something on the way to it, has changed it.',
    data: { expected, found },
  })
}
