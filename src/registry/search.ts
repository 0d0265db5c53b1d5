/**
 * What a registry has by a part of its name. Docker's own registry and a few others answer the search of the first registry protocol
 * (`/v1/search`), with descriptions and stars; the others list their repositories (`/v2/_catalog`), of which those are chosen here.
 */
import { EngineError } from '../errors.js'
import { MAXIMUM_DOCUMENT_BYTES } from '../oci/document.js'
import { parseReference } from '../reference/normalize.js'
import { finish, readBody } from './answer.js'
import { listRepositories } from './listing.js'
import type { RegistrySession } from './session.js'

/** What is looked for. */
export interface SearchRequest {
  /** `docker.io`, `localhost:5000`. */
  readonly registry: string
  /** Part of a repository's name; empty for all that the registry lists. */
  readonly term: string
  /** No more than so many. */
  readonly limit: number
  readonly signal?: AbortSignal | undefined
}

/** A repository that was found. */
export interface FoundRepository {
  /** Registry that has it: `docker.io`. */
  readonly registry: string
  /** Within the registry, or as it can be pulled by a user: `alpine`, `localhost:5000/team/app`. */
  readonly name: string
  /** Its owner's text, empty where the registry knows none. */
  readonly description: string
  readonly stars: number
  readonly isOfficial: boolean
  readonly isAutomated: boolean
}

/** Statuses that say that there is no such search, or none for us: then the list is asked for. */
const NO_SEARCH = new Set([400, 401, 403, 404, 405, 410, 501])

/** Searches one registry. Rejects with ACCESS_DENIED, REGISTRY_FAILED, LIMIT_EXCEEDED, ABORTED. */
export async function searchRegistry(session: RegistrySession, request: SearchRequest): Promise<readonly FoundRepository[]> {
  if (request.term !== '') {
    const found = await searchFirstProtocol(session, request)
    if (found !== null) return found
  }
  return searchList(session, request)
}

/** Null where the registry has no such search. */
async function searchFirstProtocol(session: RegistrySession, request: SearchRequest): Promise<readonly FoundRepository[] | null> {
  const { registry, term, limit, signal } = request
  // The search of docker.io is where its first protocol was spoken.
  const repository = { domain: registry === 'docker.io' ? 'index.docker.io' : registry, path: '' }
  const path = `/v1/search?${new URLSearchParams({ q: term, n: String(limit) })}`
  const headers = { accept: 'application/json', 'accept-encoding': 'identity' }
  try {
    return await session.persist(
      repository,
      signal,
      async (send) => (await send({ method: 'GET', path, scope: null, headers, signal })).response,
      async (response) => {
        if (response.status !== 200) {
          await finish(response)
          if (NO_SEARCH.has(response.status)) return null
          throw new EngineError('REGISTRY_FAILED', `${registry} answered ${response.status} to a search for ${JSON.stringify(term)}`, {
            hint: 'Try again later.',
            data: { registry, status: response.status },
          })
        }
        return resultsIn(await readBody(response, MAXIMUM_DOCUMENT_BYTES, `the answer of ${registry} to a search`), request)
      },
    )
  } catch (error) {
    if (error instanceof EngineError && error.code === 'ACCESS_DENIED') return null
    throw error
  }
}

/** Null for a page that some registries show in the place of what they do not have. */
function resultsIn(bytes: Uint8Array, { registry, limit }: SearchRequest): readonly FoundRepository[] | null {
  let results: unknown
  try {
    results = (JSON.parse(new TextDecoder().decode(bytes)) as { results?: unknown } | null)?.results
  } catch {
    return null
  }
  if (!Array.isArray(results)) return null
  const found = results.flatMap((result: Readonly<Record<string, unknown>> | null) => {
    const { name, description, star_count: stars, is_official: isOfficial, is_automated: isAutomated } = result ?? {}
    if (typeof name !== 'string' || !isRepository(registry, name)) return []
    return {
      registry,
      name,
      description: typeof description === 'string' ? description : '',
      stars: Number.isSafeInteger(stars) ? Number(stars) : 0,
      isOfficial: isOfficial === true,
      isAutomated: isAutomated === true,
    }
  })
  return found.slice(0, limit)
}

/** Those of the list with the term in their name; first the one that is called just so. */
async function searchList(session: RegistrySession, { registry, term, limit, signal }: SearchRequest): Promise<readonly FoundRepository[]> {
  const names: string[] = []
  try {
    for await (const name of listRepositories(session, registry, signal)) {
      if (!name.includes(term) || !isRepository(registry, name)) continue
      if (name === term) names.unshift(name)
      else if (names.length < limit) names.push(name)
      if (names.length >= limit && (term === '' || names[0] === term)) break
    }
  } catch (error) {
    throw error instanceof EngineError && error.code === 'IMAGE_NOT_FOUND' ? noSearch(registry, error) : error
  }
  return names.slice(0, limit).map((name) => ({ registry, name, description: '', stars: 0, isOfficial: false, isAutomated: false }))
}

/** What no name can be is left out: it could not be pulled. */
function isRepository(registry: string, name: string): boolean {
  try {
    const { tag, digest } = parseReference(`${registry}/${name}`)
    return tag === undefined && digest === undefined
  } catch {
    return false
  }
}

function noSearch(registry: string, cause: EngineError): EngineError {
  return new EngineError('REGISTRY_FAILED', `${registry} can neither be searched nor lists what it has`, {
    cause,
    hint: `Look for the name on its web page; the tags of one are shown by \`wolffia search --list-tags ${registry}/NAME\`.`,
    data: { registry },
  })
}
