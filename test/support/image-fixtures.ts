/** Stores, archives and small images for tests. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { EngineError, type ErrorCode } from '../../src/errors.js'
import { fromUtf8 } from '../../src/fs/names.js'
import { openImage } from '../../src/image/image.js'
import { readEntries } from '../../src/layer/entry.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import type { Descriptor } from '../../src/oci/descriptor.js'
import { type Digest, digestFromHex, hexOf } from '../../src/oci/digest.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import type { StoredLayer } from '../../src/store/layer-store.js'
import { Store } from '../../src/store/store.js'

/** Contents by name. */
export type Files = Readonly<Record<string, string | Uint8Array>>

/** Runs a program and returns what it prints; rejects with what it says on stderr. */
export async function run(program: string, ...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, words, { maxBuffer: 1 << 26 })
  return stdout
}

/** A folder that is gone afterwards. */
export async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-test-'))
  try {
    return await body(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** An empty store, and a folder beside it to work in. */
export function withStore<T>(body: (store: Store, folder: string) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => body(await Store.open({ root: join(folder, 'store') }), folder))
}

/** sha256 as a digest. */
export function digestOf(content: string | Uint8Array): Digest {
  return digestFromHex(createHash('sha256').update(content).digest('hex'))
}

/** Bytes of a tar of regular files. */
export function tarOf(files: Files): Uint8Array {
  const entries = Object.entries(files).map(([path, content]): PackEntry => {
    const contents = bytesSource(typeof content === 'string' ? Buffer.from(content) : content)
    return { path: fromUtf8(path), type: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, contents }
  })
  return Buffer.concat([...packTar(entries)])
}

/** The tar with another name in its first header: names that no honest writer gives. */
export function renameEntry(tar: Uint8Array, name: string): Uint8Array {
  const renamed = Buffer.from(tar)
  renamed.fill(0, 0, 100).write(name, 0, 100, 'latin1')
  renamed.fill(' ', 148, 156)
  const sum = renamed.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  renamed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return renamed
}

/** Bytes as a stream of pieces. */
export function stream(bytes: Uint8Array): Readable {
  return Readable.from([bytes.subarray(0, 3), bytes.subarray(3)], { objectMode: false })
}

/** Writes files below a folder. */
export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
}

/** Blobs of an image under construction, as files of an OCI layout. */
export class LayoutBuilder {
  readonly files: Record<string, string | Uint8Array> = { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' }
  readonly #manifests: object[] = []

  /** Adds a blob and returns its descriptor. */
  blob(content: string | Uint8Array | object, mediaType: string): Descriptor {
    const bytes = Buffer.from(typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content))
    const digest = digestOf(bytes)
    this.files[`blobs/sha256/${hexOf(digest)}`] = bytes
    return { mediaType, digest, size: bytes.length }
  }

  /** Adds an image of uncompressed layers and returns its manifest's descriptor. */
  image(layers: readonly Uint8Array[], config: object = {}): Descriptor {
    const diffIds = layers.map(digestOf)
    const whole = { architecture: 'amd64', os: 'linux', ...config, rootfs: { type: 'layers', diff_ids: diffIds } }
    return this.manifest(
      this.blob(whole, MEDIA_TYPE.ociConfig),
      layers.map((layer) => this.blob(layer, MEDIA_TYPE.ociLayer)),
    )
  }

  /** Adds a manifest. */
  manifest(config: Descriptor, layers: readonly Descriptor[]): Descriptor {
    return this.blob({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers }, MEDIA_TYPE.ociManifest)
  }

  /** Adds an index. */
  index(manifests: readonly object[]): Descriptor {
    return this.blob({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }, MEDIA_TYPE.ociIndex)
  }

  /** Names a manifest or index in index.json. */
  name(descriptor: object, name?: string): this {
    const annotations = name === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': name } }
    this.#manifests.push({ ...descriptor, ...annotations })
    this.files['index.json'] = JSON.stringify({ schemaVersion: 2, manifests: this.#manifests })
    return this
  }
}

/** Everything in a store as `path size` lines, locks and unfinished work included; empty folders are left out. */
export async function contentsOf(store: Store): Promise<readonly string[]> {
  const names = await readdir(store.root, { recursive: true, withFileTypes: true })
  return names
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(store.root.length + 1))
    .sort()
}

/** Fails unless every name leads to blobs that are there and whole. */
export async function assertWhole(store: Store): Promise<void> {
  for (const digest of await store.layout.digests()) {
    const path = (await store.layout.pathOf(digest)) ?? assert.unreachable()
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(String(path))) hash.update(chunk)
    assert.is(hash.digest('hex'), hexOf(digest))
  }
  for (const { descriptor } of await store.references.list()) {
    if (descriptor.mediaType !== MEDIA_TYPE.ociManifest) continue
    for (const { descriptor: layer } of await openImage(store.layout, descriptor).layers()) assert.ok(await store.layout.has(layer.digest))
  }
}

/** Names in a stored layer, in the tar's order. */
export function namesIn(layer: StoredLayer): readonly string[] {
  const tar = openFileSource(layer.tarPath)
  try {
    return [...readEntries(tar, { fileBytes: 2 ** 40 })].map((entry) => entry.name)
  } finally {
    tar.close()
  }
}

/** Fails unless the promise rejects with this code and message; returns the error. */
export async function assertRejects(promise: Promise<unknown>, code: ErrorCode, message: RegExp = /./): Promise<EngineError> {
  try {
    await promise
  } catch (error) {
    assert.instance(error, EngineError, String((error as Error).stack))
    assert.is((error as EngineError).code, code, String(error))
    assert.match((error as Error).message, message)
    return error as EngineError
  }
  return assert.unreachable(`not refused with ${code} ${message}`) as never
}
