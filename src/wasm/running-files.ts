import { type ByteString, MAXIMUM_FILE_BYTES } from '../fs/file-system.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import { readEntries } from '../layer/entry.js'
import { refuseMarkerName } from '../layer/whiteout.js'
import { treeStream } from '../rootfs/write-directory.js'
import type { ContainerFiles, PathStat, PathTar, TarFileSource } from '../runtime/container-files.js'
import { changeInSandbox, fileOutput, statInSandbox, tarOutput, writeInSandbox } from './file-session.js'

/** The files of a Wasm container that runs: its sandbox's, which answers for them. */
export class RunningFiles implements ContainerFiles {
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
    return stat === null ? null : { stat, tar: tarOutput(this.#folder, { request: 'read', path, name }) }
  }

  async write(path: ByteString, tar: TarFileSource): Promise<void> {
    // In a layer such a name takes another file away: it could not be kept.
    for (const { name } of readEntries(tar, { fileBytes: MAXIMUM_FILE_BYTES }))
      for (const part of name.split('/')) refuseMarkerName(part, name)
    await writeInSandbox(this.#folder, path, tar)
  }

  change(records: Iterable<TreeRecord>): Promise<void> {
    return changeInSandbox(this.#folder, treeStream(records))
  }

  readRoot(): AsyncIterable<Uint8Array> {
    return tarOutput(this.#folder, { request: 'read-root' })
  }

  readLayer(): AsyncIterable<Uint8Array> {
    return fileOutput(this.#folder, { request: 'read-layer' }, this.#layerBytes)
  }
}
