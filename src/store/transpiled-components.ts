/**
 * What components were transpiled to, each in a file beside the topmost layer of the image that it was run from, with which it goes. Such a file is
 * derived from the component alone and saves time alone: one that is missing, broken or another transpiler's is made anew.
 *
 * A file is a header of fixed length, which names the component, the transpiler and the digest of what follows, and what follows.
 */
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError } from '../errors.js'
import { type Digest, digestFromHex, hexOf, isDigest } from '../oci/digest.js'
import type { StoredLayer } from './layer-store.js'
import { openPlainFile } from './plain-file.js'
import { ownIdentity } from './process-identity.js'

/** Of what, by what. */
export interface TranspiledLabel {
  readonly component: Digest
  /** Whatever changes when the transpiler does. */
  readonly transpiler: string
}

interface Header extends TranspiledLabel {
  readonly format: number
  readonly contents: Digest
}

/** Name of such a file in a layer's folder. */
export const TRANSPILED = /^component-[0-9a-f]{64}$/
/** Bytes before what a component was transpiled to. */
export const TRANSPILED_HEADER_BYTES = 512
const FORMAT = 1
const PIECE_BYTES = 1 << 20

/** Where it is kept what a component was transpiled to. */
export function transpiledPath(layer: StoredLayer, component: Digest): string {
  return join(dirname(layer.indexPath), `component-${hexOf(component)}`)
}

/** Whether there is a file that is whole, and of this label where one is given. Reads all of it. */
export function isTranspiledSound(path: string, label: TranspiledLabel | null): boolean {
  let descriptor: number | undefined
  try {
    descriptor = openPlainFile(path).descriptor
    const header = readHeader(descriptor)
    if (header === null || (label !== null && !isOf(header, label))) return false
    return contentsDigest(descriptor) === header.contents
  } catch (error) {
    if (error instanceof EngineError || (error as NodeJS.ErrnoException).code !== undefined) return false
    throw error
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function isOf({ component, transpiler }: Header, label: TranspiledLabel): boolean {
  return component === label.component && transpiler === label.transpiler
}

function readHeader(descriptor: number): Header | null {
  const bytes = Buffer.alloc(TRANSPILED_HEADER_BYTES)
  readSync(descriptor, bytes, 0, bytes.length, 0)
  try {
    const { format, component, transpiler, contents } = JSON.parse(bytes.toString()) as Partial<Header>
    if (format !== FORMAT || !isDigest(component) || typeof transpiler !== 'string' || !isDigest(contents)) return null
    return { format, component, transpiler, contents }
  } catch {
    return null
  }
}

function contentsDigest(descriptor: number): Digest {
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  for (let position = TRANSPILED_HEADER_BYTES; ; ) {
    const count = readSync(descriptor, piece, 0, piece.length, position)
    if (count === 0) return digestFromHex(hash.digest('hex'))
    hash.update(piece.subarray(0, count))
    position += count
  }
}

/** How many files this process has begun: two at once must not share a name. */
let begun = 0

/** Writes such a file beside its place, and puts it there when it is whole. */
export class TranspiledWriter {
  readonly #path: string
  readonly #label: TranspiledLabel
  readonly #unfinished: string
  readonly #descriptor: number
  readonly #hash = createHash('sha256')
  #position = TRANSPILED_HEADER_BYTES

  /** Throws what Node throws where nothing can be written. */
  constructor(path: string, label: TranspiledLabel) {
    this.#path = path
    this.#label = label
    this.#unfinished = `${path}.${ownIdentity()}-${++begun}`
    this.#descriptor = openSync(this.#unfinished, 'wx', 0o600)
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#put(bytes, this.#position)
    this.#position += bytes.length
  }

  /** Gives the file its name. Ends the writing, as {@link discard} does. */
  keep(): void {
    try {
      const contents = digestFromHex(this.#hash.digest('hex'))
      const header = JSON.stringify({ format: FORMAT, ...this.#label, contents } satisfies Header)
      this.#put(Buffer.from(`${header.padEnd(TRANSPILED_HEADER_BYTES - 1)}\n`), 0)
      fsyncSync(this.#descriptor)
      renameSync(this.#unfinished, this.#path)
    } finally {
      this.discard()
    }
  }

  discard(): void {
    closeSync(this.#descriptor)
    rmSync(this.#unfinished, { force: true })
  }

  #put(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done)
  }
}
