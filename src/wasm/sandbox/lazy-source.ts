import { openFileSource } from '../../layer/file-source.js'
import type { ByteSource } from '../../layer/source.js'
import type { RemoteChannel } from './remote-file-system.js'
import { ENSURE, ENSURE_BYTES } from './remote-protocol.js'

/** Bytes that are remembered together as there. */
const BLOCK_BYTES = 64 * 1024

/** A tar whose bytes come when they are asked for, as all threads know it. */
export interface LazyTar {
  readonly number: number
  /** A byte for each block: 1 when it is there. */
  readonly there: SharedArrayBuffer
}

/** What threads share of a tar of so many bytes. */
export function lazyTar(number: number, size: number): LazyTar {
  return { number, there: new SharedArrayBuffer(Math.ceil(size / BLOCK_BYTES)) }
}

/** The tar behind a descriptor. Reading what is not there asks the supervisor for it, and waits; EIO when it does not come. */
export function lazySource(descriptor: number, { number, there }: LazyTar, channel: RemoteChannel): ByteSource {
  const file = openFileSource(descriptor)
  const blocks = new Uint8Array(there)
  const ensure = (position: number, length: number): void => {
    const end = Math.min(position + length, file.size)
    for (let block = Math.floor(position / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      if (Atomics.load(blocks, block) === 1) continue
      const first = block
      const most = first + ENSURE_BYTES / BLOCK_BYTES
      while (block < most && block * BLOCK_BYTES < end && Atomics.load(blocks, block) === 0) block++
      channel.ask(number, ENSURE, [first * BLOCK_BYTES, (block - first) * BLOCK_BYTES])
      for (let each = first; each < block; each++) Atomics.store(blocks, each, 1)
      block--
    }
  }
  return {
    size: file.size,
    read(buffer, position) {
      ensure(position, buffer.length)
      return file.read(buffer, position)
    },
    close: () => file.close(),
  }
}
