/**
 * Names of images: `[domain/]path[:tag][@digest]`, by the grammar of the distribution project, with docker's limits and reasons.
 *
 * A {@link Reference} is always normalised (`normalize.ts`): its domain is written out. What users type and see is the familiar
 * form, `alpine:3.20`; what is stored is the full form, `docker.io/library/alpine:3.20`.
 */
import { EngineError } from '../errors.js'
import { type Digest, isDigest } from '../oci/digest.js'

/** A normalised name of an image. */
export interface Reference {
  /** Registry: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string
  /** Repository within the registry: `library/alpine`. */
  readonly path: string
  readonly tag?: string
  readonly digest?: Digest
}

/** Characters a repository path may have. */
const MAXIMUM_PATH_LENGTH = 255

const DOMAIN_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const DOMAIN = new RegExp(`^(?:${DOMAIN_LABEL}(?:\\.${DOMAIN_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`)
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/
const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/

/** The parts of a reference as text, not yet checked. `rest` is what follows the domain. */
export interface ReferenceText {
  /** What the user typed, for messages. */
  readonly typed: string
  readonly domain: string
  readonly rest: string
}

/** Checks each part by the grammar. Throws INVALID_REFERENCE with docker's reason and, as a hint, what to type. */
export function checkReference({ typed, domain, rest }: ReferenceText): Reference {
  const { path, tag, digest } = split(rest)
  if (path === '' || /^[:@]/.test(typed))
    invalid(typed, 'the repository name is missing', 'Write a name before the tag or digest: alpine:3.20.')
  // In what was typed: its path may have been filled up to library/NAME.
  const repository = typed.includes(path) ? path : path.slice(path.lastIndexOf('/') + 1)
  if (path !== path.toLowerCase())
    invalid(typed, `repository name (${path}) must be lowercase`, `Write ${typed.replace(repository, repository.toLowerCase())}.`)
  if (!DOMAIN.test(domain))
    invalid(typed, `"${domain}" is no registry host`, 'Write the host with an optional port: localhost:5000/name:tag.')
  for (const component of path.split('/')) {
    if (PATH_COMPONENT.test(component)) continue
    if (component === '') invalid(typed, 'it has an empty part between slashes', 'Write one slash between parts: registry/name:tag.')
    invalid(
      typed,
      `"${component}" is no part of a repository name`,
      'Use a-z and 0-9, with single dots, one or two underscores or dashes between them.',
    )
  }
  if (path.length > MAXIMUM_PATH_LENGTH)
    invalid(typed, `repository name must not be more than ${MAXIMUM_PATH_LENGTH} characters`, 'Shorten the name.')
  if (tag !== undefined && !TAG.test(tag))
    invalid(
      typed,
      `"${tag}" is no tag`,
      'A tag has at most 128 letters, digits, underscores, dots and dashes, and starts with none of the last two.',
    )
  if (digest !== undefined) checkDigest(typed, digest)
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(isDigest(digest) ? { digest } : {}) }
}

/** Full form: what is stored, `docker.io/library/alpine:3.20@sha256:…`. */
export function formatReference(reference: Reference): string {
  return withSuffixes(`${reference.domain}/${reference.path}`, reference)
}

/** Whether two references name the same repository. */
export function sameRepository(one: Reference, other: Reference): boolean {
  return one.domain === other.domain && one.path === other.path
}

/** `name` with the reference's tag and digest behind it. */
export function withSuffixes(name: string, { tag, digest }: Reference): string {
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

/** Whether `text` can be a tag. */
export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** Throws INVALID_REFERENCE in docker's words. */
export function invalid(typed: string, reason: string, hint: string): never {
  const shown = typed.length > 120 ? `${typed.slice(0, 120)}…` : typed
  throw new EngineError('INVALID_REFERENCE', `invalid reference format: ${JSON.stringify(shown)}: ${reason}`, {
    hint,
    data: { reference: typed },
  })
}

function split(rest: string): { path: string; tag: string | undefined; digest: string | undefined } {
  const at = rest.indexOf('@')
  const digest = at < 0 ? undefined : rest.slice(at + 1)
  const name = at < 0 ? rest : rest.slice(0, at)
  // A colon before a slash is a port's; that part is already cut off as the domain, so the first colon left starts the tag.
  const colon = name.indexOf(':')
  return colon < 0 ? { path: name, tag: undefined, digest } : { path: name.slice(0, colon), tag: name.slice(colon + 1), digest }
}

function checkDigest(typed: string, digest: string): void {
  if (isDigest(digest)) return
  if (!DIGEST.test(digest))
    invalid(typed, `"${digest}" is no digest`, 'A digest is sha256: and 64 hex digits; `wolffia images --digests` shows them.')
  if (!digest.startsWith('sha256:'))
    invalid(typed, `digests of type ${digest.slice(0, digest.indexOf(':'))} are not checked here`, 'Use the sha256 digest of the image.')
  invalid(typed, 'a sha256 digest has 64 lower-case hex digits', 'Copy the whole digest; a short id stands alone, without a name.')
}
