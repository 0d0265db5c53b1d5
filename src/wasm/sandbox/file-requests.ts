import { ErrnoError } from '../../fs/errno.js'
import type { ByteString } from '../../fs/file-system.js'
import type { GuestTree, Place } from '../preview1/guest-tree.js'
import type { OutputStream } from '../preview1/host.js'
import type { GuestFiles } from './guest-files.js'
import type { FileRequest } from './session-protocol.js'

const PIECE_BYTES = 65_536

/** Does what is asked about the container's files. What comes of it is output. */
export function answerFileRequest(request: FileRequest, { tree }: GuestFiles, output: OutputStream): void {
  readFile(tree, request, output)
}

function readFile(tree: GuestTree, { path, maximumBytes }: FileRequest, output: OutputStream): void {
  const place = fileAt(tree, path)
  if (place === null) return
  const piece = new Uint8Array(PIECE_BYTES)
  for (let position = 0; position < maximumBytes; ) {
    const count = place.fs.read(place.ino, piece.subarray(0, Math.min(PIECE_BYTES, maximumBytes - position)), position)
    if (count === 0) return
    output.write(piece.subarray(0, count))
    position += count
  }
}

/** A regular file; null for anything else. */
function fileAt(tree: GuestTree, path: ByteString): Place | null {
  try {
    const { fs, ino, type } = tree.walkAsHost(path)
    return ino === undefined || type !== 'file' ? null : { fs, ino }
  } catch (error) {
    if (error instanceof ErrnoError) return null
    throw error
  }
}
