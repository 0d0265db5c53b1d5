import { checkReference, invalid, type Reference, withSuffixes } from './reference.js'

const DEFAULT_DOMAIN = 'docker.io'
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io'
const OFFICIAL_PREFIX = 'library/'

/** Tag of a reference that names none. */
const DEFAULT_TAG = 'latest'

/**
 * Reads what a user typed, by docker's rules: a first part with a dot, a colon or an upper-case letter, or `localhost`, is the
 * registry; otherwise the registry is docker.io, where a name of one part is below `library/`. No tag is added
 * ({@link withDefaultTag}). Throws INVALID_REFERENCE.
 */
export function parseReference(typed: string): Reference {
  if (typed === '') invalid(typed, 'the name is empty', 'Write the name of an image: alpine:3.20.')
  if (/^[0-9a-f]{64}$/.test(typed))
    invalid(typed, `invalid repository name (${typed}), cannot specify 64-byte hexadecimal strings`, 'Give the image a name of its own.')
  const { domain, rest } = splitDomain(typed)
  return checkReference({ typed, domain, rest })
}

/** Whether {@link parseReference} would take it. */
export function isReference(typed: string): boolean {
  try {
    parseReference(typed)
    return true
  } catch {
    return false
  }
}

/** The reference with `:latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference
}

/** The reference as people write it, `alpine:3.20`; it reads back as the same reference. */
export function familiarReference(reference: Reference): string {
  return withSuffixes(familiarRepository(reference), reference)
}

/** The repository as people write it: docker.io and library/ left out. */
function familiarRepository({ domain, path }: Reference): string {
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`
  const short = path.startsWith(OFFICIAL_PREFIX) ? path.slice(OFFICIAL_PREFIX.length) : path
  if (!short.includes('/')) return short
  // What is left must read back as the same name: docker.io/localhost/app may not become a registry's.
  return isDomain(path.slice(0, path.indexOf('/'))) ? `${domain}/${path}` : path
}

function splitDomain(name: string): { domain: string; rest: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, slash)
  const hasDomain = slash >= 0 && isDomain(first)
  const domain = !hasDomain || first === LEGACY_DEFAULT_DOMAIN ? DEFAULT_DOMAIN : first
  const rest = hasDomain ? name.slice(slash + 1) : name
  return { domain, rest: domain === DEFAULT_DOMAIN && !rest.includes('/') ? OFFICIAL_PREFIX + rest : rest }
}

/** Whether the first part of a name is its registry. */
function isDomain(first: string): boolean {
  return first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase()
}
