/**
 * Which of an image's platforms is meant. The rule: what the user names wins and must be there; else what the wall that was asked
 * for can run; else this machine's Linux; else `wasi/wasm`, when only that is there.
 */
import { EngineError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { parseIndex } from '../oci/document.js'
import { formatPlatform, normalizePlatform, type Platform, parsePlatform, platformMatches, WASI_PLATFORM } from '../oci/platform.js'
import type { BlobSource } from '../store/blob-source.js'
import { type Image, openImage } from './image.js'
import { manifestsBelow } from './manifests-below.js'

/** What the choice depends on. */
export interface PlatformWish {
  /** What the user named; nothing else will do. */
  readonly platform?: Platform
  /** What the wall asked for prefers, best first, when the user named none. */
  readonly preferred?: readonly Platform[]
}

/** An image and what it is for. */
export interface PlatformImage {
  readonly platform: Platform
  readonly image: Image
}

/** Platforms of an artifact that says what is known about an image (provenance, signatures), which nobody runs. */
const UNKNOWN = 'unknown'

/** Node's words for Go's. */
const NODE_ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['ia32', '386'],
])

/** Linux on this machine, in the image spec's words. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return normalizePlatform({ os: 'linux', architecture: NODE_ARCHITECTURES.get(architecture) ?? architecture })
}

/** The platform a user means: `os/architecture[/variant]`, or `linux`, which is this machine's. Throws INVALID_ARGUMENT. */
export function namedPlatform(text: string): Platform {
  return text.toLowerCase() === 'linux' ? hostPlatform() : parsePlatform(text)
}

/**
 * The images that `descriptor` leads to and whose manifests are stored, in the index's order: one for a manifest, any number for an
 * index. Attestations are left out. Rejects with INVALID_IMAGE.
 */
export async function platformImages(source: BlobSource, descriptor: Descriptor): Promise<readonly PlatformImage[]> {
  const manifests = await manifestsOf(source, descriptor)
  const found: PlatformImage[] = []
  for (const manifest of manifests) {
    const image = openImage(source, manifest)
    const platform = manifest.platform ?? (await platformOf(image, manifests.length === 1))
    if (platform !== null && platform.os !== UNKNOWN) found.push({ platform: normalizePlatform(platform), image })
  }
  return found
}

/** Null for an artifact that stands in an index beside images and is none, a signature for one. */
async function platformOf(image: Image, isAlone: boolean): Promise<Platform | null> {
  try {
    return await image.config()
  } catch (error) {
    if (!isAlone && error instanceof EngineError && error.code === 'UNSUPPORTED_MEDIA_TYPE') return null
    throw error
  }
}

/** The image that the wish is for. Rejects with PLATFORM_NOT_FOUND, naming the platforms there are. */
export async function selectImage(source: BlobSource, descriptor: Descriptor, wish: PlatformWish = {}): Promise<PlatformImage> {
  const offered = await platformImages(source, descriptor)
  const wanted = wish.platform === undefined ? [...(wish.preferred ?? []), hostPlatform(), WASI_PLATFORM] : [wish.platform]
  for (const platform of wanted) {
    // The exact variant, or the first of several: an index lists its preferred one first.
    const match = offered.find((candidate) => platformMatches(platform, candidate.platform))
    if (match !== undefined) return match
  }
  const wishes = [...new Set(wanted.map(formatPlatform))]
  const names = offered.map((candidate) => formatPlatform(candidate.platform))
  const [first] = names
  throw new EngineError(
    'PLATFORM_NOT_FOUND',
    `the image is not for ${wishes.join(' or ')}; it is for ${names.length === 0 ? 'no platform at all' : names.join(', ')}`,
    {
      ...(first === undefined ? {} : { hint: wish.platform === undefined ? hintForHost() : `Ask for what there is: --platform ${first}` }),
      data: { wanted: wishes, offered: names },
    },
  )
}

function hintForHost(): string {
  const { architecture } = hostPlatform()
  return `Bring in its variant for linux/${architecture}: wolffia pull --platform linux/${architecture}, or docker pull with that flag before docker save.`
}

/** Descriptors of the stored manifests below `root`, in order, each once. */
async function manifestsOf(source: BlobSource, root: Descriptor): Promise<readonly Descriptor[]> {
  const found = await manifestsBelow(root, async (index) => {
    const { manifests } = parseIndex(await source.readDocument(index), index.mediaType)
    const here: Descriptor[] = []
    for (const manifest of manifests) if (await source.has(manifest.digest)) here.push(manifest)
    return here
  })
  if (found.length === 0)
    throw new EngineError('UNSUPPORTED_MEDIA_TYPE', `${root.digest} (${root.mediaType}) leads to no image`, {
      data: { mediaType: root.mediaType },
    })
  return found
}
