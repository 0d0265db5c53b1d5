/**
 * What layers that are stored as plain tars became when they were packed, in `packed/<diffId hex>`: so that one that a registry has already is not
 * packed again to find that out. A note is a hint and no blob: who loses it packs once more, and gets the same bytes.
 */
import { readdirSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import { type DiffId, type Digest, digestFromHex, hexOf, isDigest } from '../oci/digest.js'
import type { Ingest } from './ingest.js'
import { readPlainFile } from './plain-file.js'

/** A layer packed with gzip. */
export interface PackedNote {
  readonly digest: Digest
  readonly size: number
}

const MAXIMUM_NOTE_BYTES = 1024
const HEX = /^[0-9a-f]{64}$/

/** The notes of a store. */
export class PackedNotes {
  readonly #directory: string

  constructor(root: string) {
    this.#directory = join(root, 'packed')
  }

  /** Null when nothing is known, or nothing that can be read. */
  find(diffId: DiffId): PackedNote | null {
    try {
      const { digest, size } = JSON.parse(readPlainFile(this.#path(diffId), MAXIMUM_NOTE_BYTES).toString()) as Partial<PackedNote>
      return isDigest(digest) && Number.isSafeInteger(size) && Number(size) >= 0 ? { digest, size: Number(size) } : null
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof EngineError || (error as NodeJS.ErrnoException).code !== undefined) return null
      throw error
    }
  }

  /** Keeps a note, by rename out of an ingest under way. */
  async keep(ingest: Ingest, diffId: DiffId, { digest, size }: PackedNote): Promise<void> {
    const path = ingest.temporaryPath()
    await writeFile(path, JSON.stringify({ digest, size }), { mode: 0o600 })
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    await rename(path, this.#path(diffId))
  }

  /** Layers that there are notes of. */
  diffIds(): readonly DiffId[] {
    try {
      return readdirSync(this.#directory)
        .filter((name) => HEX.test(name))
        .map(digestFromHex)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  async forget(diffId: DiffId): Promise<void> {
    await rm(this.#path(diffId), { force: true })
  }

  #path(diffId: DiffId): string {
    return join(this.#directory, hexOf(diffId))
  }
}
