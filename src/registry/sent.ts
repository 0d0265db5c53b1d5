import { EngineError } from '../errors.js'
import type { Digest } from '../oci/digest.js'
import { isDigest } from '../oci/digest.js'
import { plainText } from './answer.js'
import type { Scope } from './authorization.js'
import type { Repository } from './session.js'
import type { HttpResponse } from './transport.js'

/** What must be allowed to push to a repository. */
export function pushScope({ path }: Repository): Scope {
  return `repository:${path}:pull,push`
}

/** Throws DIGEST_MISMATCH when a registry says that it has got something else than it was sent. It need not say anything. */
export function assertSameDigest(response: HttpResponse, expected: Digest, name: string): void {
  const said = response.headers['docker-content-digest']
  if (said === undefined || said === expected) return
  response.discard()
  const found = isDigest(said) ? said : plainText(String(said))
  throw new EngineError('DIGEST_MISMATCH', `${name} was sent as ${expected}, but the registry says that it has ${found}`, {
    hint: 'The registry, or something on the way to it, has changed it.',
    data: { expected, found },
  })
}
