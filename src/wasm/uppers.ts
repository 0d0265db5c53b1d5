import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { openFileSource } from '../layer/file-source.js'
import { indexTar, serializeIndex } from '../layer/index.js'

/**
 * The writable layer of a container that is kept, as the layers its runs have left: `upper-1.tar`, `upper-2.tar` … in the wall's
 * folder, each a layer of its own above the image's. A run writes its own when its guest has come to its end; what a kill cuts off
 * is not a layer, since only whole ones bear the name.
 */
export interface NewUpper {
  /** Where the sandbox writes. */
  readonly path: string
  /** Makes it count, if nobody has done so. */
  keep(): void
  /** Removes what there is of it. */
  discard(): void
}

/** Tar and index of a layer. */
export interface KeptLayer {
  readonly tarPath: string
  readonly indexPath: string
}

/** Layers that earlier runs have left, oldest first; indexes that are missing are made. */
export function keptLayers(folder: string): KeptLayer[] {
  return numbersIn(folder).map((number) => {
    const tarPath = join(folder, `upper-${number}.tar`)
    const indexPath = join(folder, `upper-${number}.index`)
    if (!existsSync(indexPath)) writeIndex(tarPath, indexPath)
    return { tarPath, indexPath }
  })
}

/** A place for this run's layer. */
export function newUpper(folder: string): NewUpper {
  const number = (numbersIn(folder).at(-1) ?? 0) + 1
  // Of this run's own name: whoever hears of its end late, when another run has begun, must not take that one's for it.
  const path = join(folder, `upper-${number}.new`)
  return {
    path,
    keep: () => {
      if (existsSync(path)) renameSync(path, join(folder, `upper-${number}.tar`))
    },
    discard: () => rmSync(path, { force: true }),
  }
}

/** Makes one more layer of a tar that is written by the caller, whole or not at all. */
export function addLayer(folder: string, pieces: Iterable<Uint8Array>): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'copied.new')
  const file = openSync(path, 'w', 0o600)
  try {
    try {
      for (const piece of pieces) writeWhole(file, piece)
      fdatasyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(path, join(folder, `upper-${(numbersIn(folder).at(-1) ?? 0) + 1}.tar`))
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
}

/** Makes the layer count that a run has left whole, which nobody waited for. */
export function keepLeftUpper(folder: string): void {
  newUpper(folder).keep()
}

function numbersIn(folder: string): number[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .flatMap((name) => /^upper-(\d+)\.tar$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((left, right) => left - right)
}

function writeIndex(tarPath: string, indexPath: string): void {
  const source = openFileSource(tarPath)
  try {
    writeFileSync(`${indexPath}.new`, serializeIndex(indexTar(source)), { mode: 0o600 })
    renameSync(`${indexPath}.new`, indexPath)
  } finally {
    source.close()
  }
}
