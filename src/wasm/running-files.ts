import { EngineError } from '../errors.js'
import { type ByteString, MAXIMUM_FILE_BYTES } from '../fs/file-system.js'
import { readEntries } from '../layer/entry.js'
import { WHITEOUT_PREFIX } from '../layer/whiteout.js'
import type { ContainerFiles, PathStat, PathTar, TarFileSource } from '../runtime/container-files.js'
import { fileOutput, statInSandbox, writeInSandbox } from './file-session.js'

/** The files of a Wasm container that runs: its sandbox's, which answers for them. */
export class RunningFiles implements ContainerFiles {
  /** What a program holds open would stay what it was: files of one that runs are written one by one. */
  readonly addLayer = null
  /** Where the sandbox listens. */
  readonly #folder: string
  /** As long as what is written can be as a layer. */
  readonly #layerBytes: number

  constructor(folder: string, layerBytes: number) {
    this.#folder = folder
    this.#layerBytes = layerBytes
  }

  stat(path: ByteString): Promise<PathStat | null> {
    return statInSandbox(this.#folder, path)
  }

  async read(path: ByteString, name: ByteString): Promise<PathTar | null> {
    const stat = await this.stat(path)
    return stat === null ? null : { stat, tar: fileOutput(this.#folder, { request: 'read', path, name }) }
  }

  async write(path: ByteString, tar: TarFileSource): Promise<void> {
    // In a layer such a name takes another file away: it could not be kept.
    for (const { name } of readEntries(tar, { fileBytes: MAXIMUM_FILE_BYTES }))
      if (name.split('/').some((part) => part.startsWith(WHITEOUT_PREFIX)))
        throw new EngineError('UNSAFE_PATH', `a file whose name begins with ".wh." can't be stored in a layer: ${name}`, {
          data: { path: name },
          hint: 'Rename or remove it.',
        })
    await writeInSandbox(this.#folder, path, tar)
  }

  readRoot(): AsyncIterable<Uint8Array> {
    return fileOutput(this.#folder, { request: 'read-root' })
  }

  readLayer(): AsyncIterable<Uint8Array> {
    return fileOutput(this.#folder, { request: 'read-layer' }, this.#layerBytes)
  }
}
