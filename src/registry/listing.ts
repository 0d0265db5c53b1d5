/**
 * Lists of a registry, which come in pages: its repositories and the tags of one (distribution-spec, "Content Discovery"). Where a page says that
 * the next one is, only what it is called is taken, and not where it would be; lists end, whatever a registry says.
 */
import { EngineError } from '../errors.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'
import { familiarReference } from '../reference/normalize.js'
import { isTag } from '../reference/reference.js'
import { plainText, readBody } from './answer.js'
import { assertStatus } from './refusal.js'
import type { Call, RegistrySession, Repository } from './session.js'
import type { HttpResponse } from './transport.js'

/** Sends one call; of a session with its mirrors, or without. */
type Ask = <T>(call: Call, take: (response: HttpResponse) => Promise<T>) => Promise<T>

interface Listing {
  readonly repository: Repository
  /** What errors call it: `the tags of app`. */
  readonly name: string
  readonly path: string
  /** Of the first page. */
  readonly query: string
  readonly scope: Call['scope']
  readonly signal: AbortSignal | undefined
}

const MAXIMUM_PAGES = 1000
const MAXIMUM_NAMES = 200_000

/**
 * All tags of a repository, in the registry's order. Rejects with IMAGE_NOT_FOUND, ACCESS_DENIED, REGISTRY_FAILED, LIMIT_EXCEEDED for a list
 * that does not end.
 */
export async function listTags(session: RegistrySession, repository: Repository, signal?: AbortSignal): Promise<readonly string[]> {
  const listing: Listing = {
    repository,
    name: `the tags of ${familiarReference(repository)}`,
    path: `/v2/${repository.path}/tags/list`,
    query: '?n=1000',
    scope: `repository:${repository.path}:pull`,
    signal,
  }
  const tags: string[] = []
  for await (const page of pages((call, take) => session.ask(repository, call, take), listing)) {
    const found = membersOf(page, 'tags')
    if (found === null || !found.every(isTag)) throw noList(listing)
    for (const tag of found) tags.push(tag)
    if (tags.length > MAXIMUM_NAMES) throw endless(listing)
  }
  return tags
}

/** The names of a registry's repositories, as it says them, page by page. Rejects as {@link listTags}; a mirror is not asked. */
export async function* listRepositories(session: RegistrySession, registry: string, signal?: AbortSignal): AsyncGenerator<string> {
  const repository = { domain: registry, path: '' }
  const listing: Listing = {
    repository,
    name: `the repositories of ${registry}`,
    path: '/v2/_catalog',
    query: '',
    scope: 'registry:catalog:*',
    signal,
  }
  const ask: Ask = (call, take) => session.persist(repository, signal, async (send) => (await send(call)).response, take)
  let count = 0
  for await (const page of pages(ask, listing)) {
    const found = membersOf(page, 'repositories')
    if (found === null) throw noList(listing)
    count += found.length
    if (count > MAXIMUM_NAMES) throw endless(listing)
    yield* found
  }
}

async function* pages(ask: Ask, listing: Listing): AsyncGenerator<Uint8Array> {
  const { repository, name, path, scope, signal } = listing
  let query: string | null = listing.query
  for (let page = 0; query !== null; page++) {
    if (page === MAXIMUM_PAGES) throw endless(listing)
    const headers = { 'accept-encoding': 'identity', accept: 'application/json' }
    const call: Call = { method: 'GET', path: `${path}${query}`, scope, headers, signal }
    const { bytes, next } = await ask(call, async (response) => {
      await assertStatus(response, [200], { name, repository })
      const link = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(String(response.headers.link ?? ''))?.[1]
      return { bytes: await readBody(response, MAXIMUM_DOCUMENT_BYTES, name), next: link }
    })
    yield bytes
    if (next !== undefined && !URL.canParse(next, 'https://registry.invalid'))
      throw new EngineError('REGISTRY_FAILED', `the list of ${name} goes on at ${JSON.stringify(plainText(next))}, which is no address`)
    const following: string | null = next === undefined ? null : new URL(next, 'https://registry.invalid').search || null
    query = following === query ? null : following
  }
}

/** Null for what is no list of strings; none at all may be said with null. */
function membersOf(bytes: Uint8Array, member: string): readonly string[] | null {
  let list: unknown
  try {
    list = (JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>> | null)?.[member]
  } catch {
    return null
  }
  if (list === null) return []
  return Array.isArray(list) && list.every((name) => typeof name === 'string') ? list : null
}

function noList({ name }: Listing): EngineError {
  return new EngineError('REGISTRY_FAILED', `the registry's list of ${name} is none`)
}

function endless({ name }: Listing): EngineError {
  return new EngineError('LIMIT_EXCEEDED', `${name} do not end: there are more than ${MAXIMUM_NAMES} of them, or ${MAXIMUM_PAGES} pages`)
}
