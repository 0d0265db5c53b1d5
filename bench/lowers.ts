import { closeSync, createWriteStream, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileTar, type TarFile } from '../src/image/file-tar.js'
import { openFileSource } from '../src/layer/file-source.js'
import { indexTar, serializeIndex } from '../src/layer/index.js'
import { PackedLayer } from '../src/layer/packed-layer.js'
import { type ByteSource, bytesSource } from '../src/layer/source.js'
import type { Workbench } from './workbench.js'

const BLOCK_BYTES = 512

/** A layer of these files, packed and indexed as the store does it. */
export async function packedLayer(workbench: Workbench, name: string, files: readonly TarFile[]): Promise<PackedLayer> {
  const path = await workbench.file(`layers/${name}.tar`, '')
  await pipeline(fileTar(files), createWriteStream(path))
  return openLayer(path)
}

/** A layer of one file so large that it is not written: its bytes are a hole in the tar. */
export async function hugeFileLayer(workbench: Workbench, name: string, bytes: number): Promise<PackedLayer> {
  const hole: ByteSource = { size: bytes, read: (buffer) => buffer.fill(0).length, close: () => {} }
  const tar = fileTar([{ path: 'huge', contents: () => hole }])
  const header = await tar.next()
  await tar.return()
  const path = await workbench.file(`layers/${name}.tar`, '')
  const descriptor = openSync(path, 'w')
  writeSync(descriptor, header.value ?? new Uint8Array())
  ftruncateSync(descriptor, BLOCK_BYTES + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES + 2 * BLOCK_BYTES)
  closeSync(descriptor)
  return openLayer(path)
}

/** Empty files in directories of at most a hundred, as images have them. */
export function manyFiles(count: number, prefix = 'file'): TarFile[] {
  return Array.from({ length: count }, (_, number) => ({
    path: `usr/share/package-${Math.floor(number / 100)}/${prefix}-${number}.txt`,
    contents: () => bytesSource(new Uint8Array()),
  }))
}

/** The index of a layer of so many empty files, as the store keeps it, and the path of its tar. */
export function storedIndex(workbench: Workbench, files: number): Promise<{ readonly index: Uint8Array; readonly path: string }> {
  return workbench.once(`index of ${files} files`, async () => {
    const name = `many-${files}`
    ;(await packedLayer(workbench, name, manyFiles(files))).close()
    const path = join(workbench.directory, `layers/${name}.tar`)
    const source = openFileSource(path)
    const index = serializeIndex(indexTar(source))
    source.close()
    return { index, path }
  })
}

function openLayer(path: string): PackedLayer {
  const source = openFileSource(path)
  return new PackedLayer(indexTar(source), source)
}
