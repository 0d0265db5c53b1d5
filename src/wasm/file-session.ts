import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'
import type { FileRequest } from './sandbox/session-protocol.js'
import { mustOpenSession } from './sandbox-session.js'

/** At most so many bytes of a file of a running container; empty when there is none. Rejects with CONFLICT when it is not running. */
export async function readSandboxFile(folder: string, path: ByteString, maximumBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of fileOutput(folder, { request: 'read-file', path, maximumBytes })) {
    pieces.push(piece)
    length += piece.length
    // A guest that has broken out of V8 may send without end.
    if (length > maximumBytes) throw new EngineError('SANDBOX_FAILED', 'the sandbox sends more than it was asked for')
  }
  return Buffer.concat(pieces)
}

/** What a request about files gives, in pieces. Rejects with what the sandbox says of it. */
export async function* fileOutput(folder: string, request: FileRequest): AsyncGenerator<Buffer, void, undefined> {
  const session = await mustOpenSession(folder, request)
  session.stderr.resume()
  try {
    for await (const piece of session.stdout) yield piece
    await session.finished()
  } finally {
    session.close()
  }
}
