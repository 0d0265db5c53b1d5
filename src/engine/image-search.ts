import { familiarReference, parseReference } from '../reference/normalize.js'
import { readConfiguration, resolveName } from '../registry/configuration.js'
import { listTags } from '../registry/listing.js'
import { registryName } from '../registry/login.js'
import { type OpenClientOptions, openClient } from '../registry/open-client.js'
import { type FoundRepository, searchRegistry } from '../registry/search.js'

/** What `images.search` and `images.tags` take. */
export interface SearchOptions {
  /** No more than so many; 25 unless said. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

const DEFAULT_LIMIT = 25

/** Searches the registry that the term begins with (`localhost:5000/app`, `localhost:5000/` for all it lists), else the default one. */
export async function searchImages(
  typed: string,
  { limit = DEFAULT_LIMIT, signal }: SearchOptions,
  clientOptions: OpenClientOptions = {},
): Promise<readonly FoundRepository[]> {
  using opened = await openClient(clientOptions)
  const { defaultRegistry } = opened.configuration
  const { registry = defaultRegistry, term } = registryAndTerm(typed)
  const found = await searchRegistry(opened.client.session, { registry, term, limit, signal })
  // A name that says no registry means docker.io only where the default one is.
  const isShort = registry === 'docker.io' && defaultRegistry === 'docker.io'
  return found.map((repository) => ({ ...repository, name: isShort ? repository.name : `${registry}/${repository.name}` }))
}

/** The first tags of a repository, in the registry's order, and what the repository is called. */
export async function imageTags(
  typed: string,
  { limit = DEFAULT_LIMIT, signal }: SearchOptions,
  clientOptions: OpenClientOptions = {},
): Promise<{ readonly name: string; readonly tags: readonly string[] }> {
  const configuration = await readConfiguration(clientOptions.environment ?? process.env)
  const { domain, path } = resolveName(typed, configuration)
  using opened = await openClient(clientOptions)
  const tags = await listTags(opened.client.session, { domain, path }, signal)
  return { name: familiarReference({ domain, path }), tags: tags.slice(0, limit) }
}

/** As docker splits it: what stands before the first slash is a registry when it could be a host. */
function registryAndTerm(typed: string): { readonly registry?: string; readonly term: string } {
  const slash = typed.indexOf('/')
  const first = slash < 0 ? '' : typed.slice(0, slash)
  if (first !== 'localhost' && !/[.:]/.test(first)) return { term: typed }
  const term = typed.slice(slash + 1)
  const registry = registryName(first)
  // Refuses what could be no part of a name before anything is asked.
  if (term !== '' && !/^[\w./-]+$/.test(term)) parseReference(`${registry}/${term}`)
  return { registry, term }
}
