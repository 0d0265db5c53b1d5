/**
 * Makes an image of a root file system's tar or of a bare WebAssembly module, either plain or compressed (gzip, zstd). Which it is is told by the
 * first bytes: `\0asm` is a module. A module becomes the entrypoint of an image for `wasi/wasm` that holds nothing else.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { EngineError } from '../errors.js'
import { decompress } from '../layer/compression.js'
import { openFileSource } from '../layer/file-source.js'
import { indexTar } from '../layer/index.js'
import { decompressionLimits, indexLimits } from '../layer/limits.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { type Platform, WASI_PLATFORM } from '../oci/platform.js'
import type { Reference } from '../reference/reference.js'
import { writeBlobFile } from '../store/blob-file.js'
import type { Ingest } from '../store/ingest.js'
import { withName } from '../store/references.js'
import type { Store } from '../store/store.js'
import { assertTar, TAR_HEAD_BYTES } from './assert-tar.js'
import { applyChange } from './change.js'
import { emptyImage, type Step, withContainerConfig, withLayer } from './edit.js'
import type { Image } from './image.js'
import { hostPlatform } from './platform-select.js'
import { moduleTar, safeModuleName } from './wasm-artifact.js'

/** Options of {@link importImage}. */
export interface ImportImageOptions {
  /** Name of the new image; without, it has only its id. */
  readonly reference?: Reference
  /** This machine's Linux for a tar, `wasi/wasm` for a module, unless said. */
  readonly platform?: Platform
  readonly config?: ContainerConfig
  /** Dockerfile instructions over the config, as `--change` takes them. */
  readonly changes?: readonly string[]
  /** The history's comment. */
  readonly message?: string
  /** When the image was made, RFC 3339; now unless said. */
  readonly created?: string
  readonly signal?: AbortSignal
}

/** Imports from a path or a stream and returns the manifest's descriptor. Rejects with INVALID_ARCHIVE, INVALID_ARGUMENT. */
export async function importImage(
  store: Store,
  source: string | AsyncIterable<Uint8Array>,
  options: ImportImageOptions = {},
): Promise<Descriptor> {
  const ingest = await store.ingest(options)
  try {
    const { first, stream } = await peek(
      decompress(typeof source === 'string' ? await openPath(source) : source, decompressionLimits(process.env)),
    )
    const isModule = hasModuleMagic(first)
    if (!isModule) assertTar(first, typeof source === 'string' ? source : null, 'import')
    const step: Step = {
      created: options.created ?? new Date().toISOString(),
      comment: options.message ?? `Imported from ${typeof source === 'string' ? source : '-'}`,
    }
    const base = await emptyImage(ingest, options.platform ?? (isModule ? WASI_PLATFORM : hostPlatform()))
    const name = safeModuleName(typeof source === 'string' ? source : '')
    const image = isModule ? await withModule(ingest, base, name, stream, step) : await withRoot(ingest, base, stream, step)
    const { descriptor } = await configure(ingest, image, isModule ? { Entrypoint: [`/${name}`] } : {}, options, step)
    await ingest.commit((names) => withName(names, options.reference ?? null, descriptor))
    return descriptor
  } finally {
    await ingest.discard()
  }
}

async function configure(ingest: Ingest, image: Image, defaults: ContainerConfig, options: ImportImageOptions, step: Step): Promise<Image> {
  const config = (options.changes ?? []).reduce(applyChange, { ...defaults, ...options.config })
  return Object.keys(config).length === 0
    ? image
    : withContainerConfig(ingest, image, config, { created: step.created ?? '', created_by: 'wolffia import' })
}

async function withRoot(ingest: Ingest, base: Image, stream: AsyncIterable<Uint8Array>, step: Step): Promise<Image> {
  const image = await withLayer(ingest, base, stream, step)
  const [layer] = await image.layers()
  const path = layer === undefined ? null : await ingest.pathOf(layer.diffId)
  if (path === null) throw new EngineError('INTERNAL', 'the imported layer is gone')
  // Only to judge it: a file that is no tar, or an unsafe one, is refused now and not by the first container.
  const tar = openFileSource(path)
  try {
    indexTar(tar, indexLimits(process.env))
  } finally {
    tar.close()
  }
  return image
}

/** A tar says a file's size before its bytes, so a module is gathered first. */
async function withModule(ingest: Ingest, base: Image, name: string, stream: AsyncIterable<Uint8Array>, step: Step): Promise<Image> {
  const path = ingest.temporaryPath()
  await writeBlobFile(path, stream, {}, { signal: ingest.signal, flush: false })
  return withLayer(ingest, base, moduleTar(name, path), step)
}

function hasModuleMagic(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d
}

async function openPath(path: string): Promise<AsyncIterable<Uint8Array>> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new EngineError('INVALID_ARGUMENT', cause.code === 'ENOENT' ? `no such file: ${path}` : `cannot read ${path}: ${cause.message}`, {
      cause,
    })
  })
  if (found.isDirectory())
    throw new EngineError('INVALID_ARGUMENT', `${path} is a directory`, {
      hint: `Pack it first: tar -C ${path} -c . | wolffia import - NAME`,
    })
  return createReadStream(path, { highWaterMark: 1 << 20 })
}

/** The bytes of a tar's first header or more, and a stream that still has them. */
async function peek(source: AsyncIterable<Uint8Array>): Promise<{ first: Uint8Array; stream: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]()
  let first: Uint8Array = new Uint8Array()
  let ended = false
  while (first.length < TAR_HEAD_BYTES && !ended) {
    const next = await iterator.next()
    if (next.done) ended = true
    else first = Buffer.concat([first, next.value])
  }
  async function* rest(): AsyncGenerator<Uint8Array> {
    try {
      if (first.length > 0) yield first
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
    } finally {
      await iterator.return?.()
    }
  }
  return { first, stream: rest() }
}
