import { createHash } from 'node:crypto'
import type { Ino } from '../fs/file-system.js'
import type { Digest } from '../oci/digest.js'
import type { Program } from '../runtime/magic.js'
import type { Rootfs } from '../runtime/spec.js'

const PIECE_BYTES = 1 << 20

/** Digest of a file of the image, as this process reads it. */
export function fileDigest(rootfs: Rootfs, ino: Ino): Digest {
  const tree = rootfs.tree()
  const hash = createHash('sha256')
  const piece = new Uint8Array(PIECE_BYTES)
  for (let position = 0; ; ) {
    const count = tree.read(ino, piece, position)
    if (count === 0) return `sha256:${hash.digest('hex')}`
    hash.update(piece.subarray(0, count))
    position += count
  }
}

/** Digest of the program's file in the image; empty for one in a mount. */
export function moduleDigestOf(rootfs: Rootfs, { ino }: Program): Digest | '' {
  return ino === null ? '' : fileDigest(rootfs, ino)
}
