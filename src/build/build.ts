/** A build from its words to its names: context, Dockerfile, image, and all its names at once. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Workshop } from '../container/create.js'
import { afterCleanUp, EngineError, messageOf } from '../errors.js'
import { fromUtf8, toBytes } from '../fs/names.js'
import { UnionFs } from '../fs/union-fs.js'
import { composeIndex } from '../image/edit.js'
import { type FoundImage, findImage } from '../image/find.js'
import type { Image } from '../image/image.js'
import type { PlatformWish } from '../image/platform-select.js'
import { decompress } from '../layer/compression.js'
import { openFileSource } from '../layer/file-source.js'
import { indexTar } from '../layer/index.js'
import { decompressionLimits, indexLimits } from '../layer/limits.js'
import { PackedLayer } from '../layer/packed-layer.js'
import type { Descriptor } from '../oci/descriptor.js'
import { formatPlatform, type Platform } from '../oci/platform.js'
import type { Reference } from '../reference/reference.js'
import { writeBlobFile } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import { type NamedDescriptor, withName } from '../store/references.js'
import type { Store } from '../store/store.js'
import { Builder, type BuilderParts, type BuilderRequest } from './builder.js'
import { type ContextTree, HostTree, keptContext, readContextFile } from './context.js'
import { readDockerfile } from './instructions.js'
import { MAXIMUM_DOCKERFILE_BYTES, parseDockerfile } from './parse.js'
import type { BuildEvent } from './progress.js'
import type { RunBounds } from './run.js'

/** What {@link buildImage} is told. */
export interface BuildImageOptions {
  /**
   * A folder of the host; or bytes, which are a tar (plain, gzip or zstd) or else the text of a Dockerfile without a context. Null for no
   * files at all.
   */
  readonly context: string | AsyncIterable<Uint8Array> | null
  /** Path of the Dockerfile: on the host for a folder, in the tar for a tar; `Dockerfile` there unless said. */
  readonly dockerfile?: string
  /** The Dockerfile itself; goes before {@link dockerfile}. */
  readonly dockerfileText?: string
  readonly references: readonly Reference[]
  readonly buildArgs: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly target?: string
  /** This machine's Linux when there are none; several are built one after the other, and an index holds them. */
  readonly platforms: readonly Platform[]
  readonly bounds: RunBounds
  readonly created: Date
  readonly report: (event: BuildEvent) => void
  readonly signal?: AbortSignal
}

/** Where the parts of a build come from. */
export interface BuildParts {
  readonly store: Store
  /** Asked for by the first RUN. */
  readonly workshop: () => Promise<Workshop>
  /** The image of a FROM, pulled if need be; the one that is here unless said. Rejects with IMAGE_NOT_FOUND. */
  readonly base?: (name: string, wish: PlatformWish) => Promise<FoundImage>
  /** Removes layers and trees that nothing leads to: of stages, and of a build that failed. */
  readonly prune: () => Promise<unknown>
}

/** Builds an image and gives it its names. Rejects with the Dockerfile's line in the message; nothing is kept of a build that fails. */
export async function buildImage({ store, workshop, base, prune }: BuildParts, options: BuildImageOptions): Promise<Descriptor> {
  const { signal } = options
  const ingest = await store.ingest(signal === undefined ? {} : { signal })
  let leaves = false
  const cleanUp = async () => {
    await ingest.discard()
    if (leaves) await prune()
  }
  let descriptor: Descriptor
  try {
    const opened = await openContext(ingest, options)
    try {
      const { text, file } = dockerfileOf(opened, options)
      const dockerfile = readDockerfile(parseDockerfile(text, file))
      const { tree: context, ignore } = keptContext(opened.tree, fromUtf8(options.dockerfile ?? 'Dockerfile').replace(/^.*\//, ''))
      leaves = true
      descriptor = await buildAll(
        { store, ingest, workshop, base: base ?? ((name) => findImage(store, name)) },
        { dockerfile, context, ignore },
        options,
      )
      leaves = dockerfile.stages.length > 1
    } finally {
      opened.tree.close()
    }
  } catch (error) {
    throw await afterCleanUp(error, cleanUp)
  }
  await cleanUp()
  return descriptor
}

/** Builds for each platform, and lets what was built appear with its names. */
async function buildAll(
  parts: BuilderParts,
  sources: Pick<BuilderRequest, 'dockerfile' | 'context' | 'ignore'>,
  options: BuildImageOptions,
): Promise<Descriptor> {
  const { ingest } = parts
  const { references, buildArgs, labels, target, platforms, bounds, created, report, signal } = options
  const images: Image[] = []
  for (const platform of platforms.length === 0 ? [undefined] : platforms) {
    if (platform !== undefined && platforms.length > 1) report({ event: 'platform', platform: formatPlatform(platform) })
    const request = { ...sources, buildArgs, labels, bounds, created, report, signal }
    const wish = { ...(target === undefined ? {} : { target }), ...(platform === undefined ? {} : { platform }) }
    images.push(await new Builder(parts, { ...request, ...wish }).build())
  }
  const descriptor = await descriptorOf(ingest, images)
  await ingest.commit((names) =>
    references.length === 0
      ? withName(names, null, descriptor)
      : references.reduce<readonly NamedDescriptor[]>((given, reference) => withName(given, reference, descriptor), names),
  )
  return descriptor
}

async function descriptorOf(ingest: Ingest, images: readonly Image[]): Promise<Descriptor> {
  const [image] = images
  if (image === undefined || images.length > 1) return composeIndex(ingest, images)
  // Without what an index says of it: this is what a name stands for.
  const { mediaType, digest, size } = image.descriptor
  return { mediaType, digest, size }
}

interface OpenedContext {
  readonly tree: ContextTree
  /** The text of a Dockerfile that was sent instead of a context. */
  readonly text: string | null
}

async function openContext(ingest: Ingest, { context }: BuildImageOptions): Promise<OpenedContext> {
  if (context === null) return { tree: emptyTree(), text: null }
  if (typeof context === 'string') return { tree: new HostTree(context), text: null }
  const path = ingest.temporaryPath()
  await writeBlobFile(path, decompress(context, decompressionLimits(process.env)), {}, { signal: ingest.signal, flush: false })
  const source = openFileSource(path)
  try {
    const head = new Uint8Array(Math.min(512, source.size))
    source.read(head, 0)
    if (head.length === 0)
      throw new EngineError('INVALID_ARGUMENT', 'the build context is empty', {
        hint: 'Pipe a tar or a Dockerfile in, or name a folder: wolffia build .',
      })
    if (!head.includes(0)) {
      const text = readFileSync(path, 'utf8')
      source.close()
      return { tree: emptyTree(), text }
    }
    return { tree: new PackedLayer(indexTar(source, indexLimits(process.env)), source), text: null }
  } catch (error) {
    source.close()
    throw error
  }
}

function emptyTree(): ContextTree {
  return Object.assign(new UnionFs({ lowers: [] }), { close() {} })
}

function dockerfileOf(
  opened: OpenedContext,
  { context, dockerfile, dockerfileText }: BuildImageOptions,
): { readonly text: string; readonly file: string } {
  const file = dockerfile ?? 'Dockerfile'
  if (dockerfileText !== undefined) return { text: dockerfileText, file }
  if (opened.text !== null) return { text: opened.text, file: 'Dockerfile' }
  if (typeof context === 'string') return { text: readHostDockerfile(context, dockerfile), file }
  const bytes = readContextFile(opened.tree, fromUtf8(file), MAXIMUM_DOCKERFILE_BYTES)
  if (bytes === null)
    throw new EngineError('INVALID_ARGUMENT', `failed to read dockerfile: there is no ${file} in the context`, { hint: 'Name it with -f.' })
  return { text: new TextDecoder().decode(toBytes(bytes)), file }
}

/** A pipe is the user's when it is named (`-f <(…)`); one that lies in a stranger's context would be waited for without end. */
function readHostDockerfile(context: string, named: string | undefined): string {
  const path = named ?? join(context, 'Dockerfile')
  try {
    const found = statSync(path)
    if (!found.isFile() && (named === undefined || !found.isFIFO())) throw new EngineError('INVALID_ARGUMENT', `${path} is no file`)
    if (found.size > MAXIMUM_DOCKERFILE_BYTES)
      throw new EngineError('LIMIT_EXCEEDED', `${path} has more than ${MAXIMUM_DOCKERFILE_BYTES} bytes`)
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    throw new EngineError(
      'INVALID_ARGUMENT',
      `failed to read dockerfile: ${code === 'ENOENT' ? `there is no ${path}` : messageOf(cause)}`,
      {
        cause,
        hint:
          named === undefined
            ? 'Name it with -f, or write one: FROM IMAGE, then what is to be done.'
            : 'The path of -f begins in the current folder.',
      },
    )
  }
}
