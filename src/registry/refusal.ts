/** What is to be said of an answer that is not the one that was wanted. */
import { EngineError } from '../errors.js'
import { familiarReference } from '../reference/normalize.js'
import { errorText, plainText } from './answer.js'
import { retryAfterMs } from './patience.js'
import type { Repository } from './session.js'
import type { HttpResponse } from './transport.js'

/** What to do about what a registry does not take. */
const SENT_HINTS: Readonly<Record<number, string>> = {
  400: 'The registry does not take it as it is; `wolffia system check` says whether it is whole here.',
  404: 'Look at the name: the registry may have to be told of a repository before it is pushed to.',
  405: 'The registry takes nothing; it may be only for pulling.',
  413: 'The registry, or a proxy before it, takes nothing this large.',
}

/** Rejects with what is to be said of an answer whose status is none of those wanted: IMAGE_NOT_FOUND, ACCESS_DENIED, REGISTRY_FAILED. */
export async function assertStatus(
  response: HttpResponse,
  wanted: readonly number[],
  { name, repository, isSent = false }: { readonly name: string; readonly repository: Repository; readonly isSent?: boolean },
): Promise<void> {
  const { status, headers } = response
  if (wanted.includes(status)) return
  const { code, message } = await errorText(response)
  if (status === 401 || status === 403) throw denied(repository, message)
  // Nothing that is sent must be there before.
  if (status === 404 && !isSent)
    throw new EngineError('IMAGE_NOT_FOUND', `${name} not found in ${repository.domain}: ${message}`, {
      hint: code === 'NAME_UNKNOWN' ? 'There is no such repository: look at its name.' : 'Look at its tag: the repository may have others.',
      data: { reference: name },
    })
  const asked = status === 429 ? retryAfterMs(headers) : null
  throw new EngineError('REGISTRY_FAILED', `${repository.domain} answered ${status} for ${name}: ${message}`, {
    hint:
      status === 429
        ? `Too many requests${asked === null ? '' : ` (it asks to wait ${Math.ceil(asked / 1000)} s)`}: try again later, or log in.`
        : ((isSent ? SENT_HINTS[status] : undefined) ?? 'Try again later.'),
    data: { registry: repository.domain, status },
  })
}

/** ACCESS_DENIED, in docker's words. */
export function denied({ domain, path }: Repository, message: string): EngineError {
  const name = path === '' ? domain : familiarReference({ domain, path })
  return new EngineError(
    'ACCESS_DENIED',
    path === ''
      ? `${domain} does not let you in: ${message}`
      : `access denied for ${name}, repository does not exist or may require 'wolffia login': ${message}`,
    { hint: path === '' ? 'Look at the name and the password.' : `Log in: wolffia login ${domain}`, data: { registry: domain } },
  )
}

/** Throws REGISTRY_FAILED: bytes that were compressed on the way would have another length and digest than the blob. */
export function assertPlain(response: HttpResponse): void {
  const encoding = response.headers['content-encoding']
  if (encoding === undefined || encoding === 'identity') return
  response.discard()
  throw new EngineError('REGISTRY_FAILED', `the registry sent the content-encoding ${plainText(encoding)}, which was not asked for`)
}
