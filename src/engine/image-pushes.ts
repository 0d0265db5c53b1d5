import type { Journal } from '../container/journal.js'
import { EngineError } from '../errors.js'
import { findAmong } from '../image/find.js'
import type { PlatformWish } from '../image/platform-select.js'
import { hexOf } from '../oci/digest.js'
import { familiarReference, parseReference, withDefaultTag } from '../reference/normalize.js'
import { formatReference, type Reference, sameRepository } from '../reference/reference.js'
import { resolveName } from '../registry/configuration.js'
import { type OpenClientOptions, openClient } from '../registry/open-client.js'
import { type NamedImage, type Pushed, pushImages } from '../registry/push.js'
import type { PushEvent } from '../registry/push-event.js'
import type { NamedDescriptor } from '../store/references.js'
import type { Store } from '../store/store.js'

/** What {@link pushNamed} stands on. */
export interface ImagePushParts {
  readonly store: Store
  readonly journal: Journal
}

/** What is pushed, and how. */
export interface ImagePushRequest {
  readonly allTags: boolean
  readonly wish?: PlatformWish | undefined
  readonly progress?: ((event: PushEvent) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Pushes what a name means: the image that has it here, under that name. */
export async function pushNamed(
  { store, journal }: ImagePushParts,
  typed: string,
  { allTags, wish, progress = () => {}, signal }: ImagePushRequest,
  clientOptions: OpenClientOptions = {},
): Promise<readonly Pushed[]> {
  const asked = parseReference(typed)
  if (asked.digest !== undefined)
    throw new EngineError('INVALID_REFERENCE', `cannot push a digest reference: ${typed}`, {
      hint: 'Push it by its tag; give it one with `wolffia tag`.',
    })
  if (allTags && asked.tag !== undefined)
    throw new EngineError('INVALID_ARGUMENT', "tag can't be used with --all-tags/-a", {
      hint: `Name the repository alone: ${typed.replace(/:[^/]*$/, '')}`,
    })
  using opened = await openClient(clientOptions)
  const names = await store.references.list()
  const images = imagesOf(names, typed, [asked, resolveName(typed, opened.configuration)], allTags)
  const [first] = images
  if (first !== undefined) progress({ event: 'begun', repository: `${first.reference.domain}/${first.reference.path}` })
  const pushed = await pushImages({ store, client: opened.client }, images, { wish, report: progress, signal })
  for (const { reference } of pushed) {
    const name = familiarReference(reference)
    journal.add('push', { type: 'image', id: name, attributes: { name } })
  }
  return pushed
}

/** Images by the first of the names that there is here: as it stands, or as the user's settings read it. */
function imagesOf(names: readonly NamedDescriptor[], typed: string, meant: readonly Reference[], allTags: boolean): readonly NamedImage[] {
  for (const wanted of meant) {
    const key = formatReference(withDefaultTag(wanted))
    const found = names.flatMap(({ reference, descriptor }) => {
      if (reference?.tag === undefined || !sameRepository(reference, wanted)) return []
      return allTags || formatReference(reference) === key ? [{ reference: { ...reference, tag: reference.tag }, descriptor }] : []
    })
    if (found.length > 0) return found
  }
  const isKnown = /^[0-9a-f]{4,64}$/.test(typed) && names.some(({ descriptor }) => hexOf(descriptor.digest).startsWith(typed))
  if (allTags || isKnown)
    throw new EngineError('IMAGE_NOT_FOUND', isKnown ? `${typed} is an id, and no name to push by` : `${typed} has no tags here`, {
      hint: isKnown
        ? `Name it after the repository it shall go to: wolffia tag ${typed} REGISTRY/NAME:TAG`
        : '`wolffia images` lists what there is.',
      data: { reference: typed },
    })
  // Says what is near.
  findAmong(names, formatReference(withDefaultTag(meant[0] ?? parseReference(typed))))
  throw new EngineError('INTERNAL', `${typed} is found, and is not`)
}
