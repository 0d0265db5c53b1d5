/**
 * The CNCF Wasm OCI artifact (TAG Runtime, "Wasm OCI Artifact layout"): a manifest with a config of its own kind and one layer that
 * is the module itself. It is kept as it came and presented as an image: one layer, a tar that holds nothing but the module,
 * which is also the entrypoint. The diffId is that of the tar, which is the same for the same module and name.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { EngineError } from '../errors.js'
import { openFileSource } from '../layer/file-source.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type DiffId, digestFromHex } from '../oci/digest.js'
import { parseWasmArtifactConfig } from '../oci/document.js'
import type { Manifest } from '../oci/image-spec.js'
import { MEDIA_TYPE } from '../oci/media-type.js'
import { missingBlob } from '../store/blob-file.js'
import type { BlobSource } from '../store/blob-source.js'
import { fileTar } from './file-tar.js'
import type { ImageContents } from './image.js'

const TITLE_ANNOTATION = 'org.opencontainers.image.title'

/** Reads the artifact as an image. Rejects with INVALID_IMAGE, UNSUPPORTED_MEDIA_TYPE. */
export async function readWasmArtifact(source: BlobSource, manifest: Manifest): Promise<ImageContents> {
  const artifact = parseWasmArtifactConfig(await source.readDocument(manifest.config))
  const modules = manifest.layers.filter((layer) => layer.mediaType === MEDIA_TYPE.wasmLayer)
  const [module] = modules
  if (module === undefined || modules.length > 1)
    throw new EngineError(
      'UNSUPPORTED_MEDIA_TYPE',
      `a Wasm artifact must have one layer of type ${MEDIA_TYPE.wasmLayer}; this has ${modules.length}`,
      {
        data: { mediaTypes: manifest.layers.map((layer) => layer.mediaType) },
      },
    )
  const digests = manifest.layers.map((layer) => layer.digest)
  if (artifact.layerDigests.length !== digests.length || artifact.layerDigests.some((digest, position) => digest !== digests[position]))
    throw new EngineError('INVALID_IMAGE', 'wasm config.layerDigests are not the digests of the manifest’s layers')
  const name = moduleName(module)
  const tar = async () => moduleTar(name, await pathOf(source, module))
  const diffId = await digestOfPieces(await tar())
  return {
    config: {
      os: artifact.os,
      architecture: artifact.architecture,
      ...(artifact.created === undefined ? {} : { created: artifact.created }),
      ...(artifact.author === undefined ? {} : { author: artifact.author }),
      config: { Entrypoint: [`/${name}`], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: [diffId] },
    },
    layers: [{ descriptor: module, diffId, uncompressed: async () => Readable.from(await tar(), { objectMode: false }) }],
  }
}

/** A tar that holds one executable module at its root. */
export function moduleTar(name: string, modulePath: string): AsyncIterable<Uint8Array> {
  return fileTar([{ path: name, mode: 0o755, contents: () => openFileSource(modulePath) }])
}

/** A file name for a module, out of a title or path that may hold anything. */
export function safeModuleName(title: string): string {
  const base = title.slice(title.lastIndexOf('/') + 1)
  return /^[A-Za-z0-9][\w.+-]{0,99}$/.test(base) ? base : 'module.wasm'
}

function moduleName(module: Descriptor): string {
  return safeModuleName(module.annotations?.[TITLE_ANNOTATION] ?? '')
}

async function pathOf(source: BlobSource, module: Descriptor): Promise<string> {
  const path = await source.pathOf(module.digest)
  if (path === null) throw missingBlob(module)
  return path
}

async function digestOfPieces(pieces: AsyncIterable<Uint8Array>): Promise<DiffId> {
  const hash = createHash('sha256')
  for await (const piece of pieces) hash.update(piece)
  return digestFromHex(hash.digest('hex'))
}
