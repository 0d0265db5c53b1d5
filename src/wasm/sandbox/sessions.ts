import { constants, openSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { EngineError } from '../../errors.js'
import type { StartMessage } from './protocol.js'
import { Session, type SessionParts, turnAway } from './session.js'
import { SESSIONS_MAXIMUM, SESSIONS_SOCKET } from './session-protocol.js'

/** Who asks at the sandbox's socket, and is answered by the main thread. */
export class Sessions {
  readonly #parts: SessionParts
  readonly #open = new Set<Session>()
  readonly #server: Server

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#server = createServer({ allowHalfOpen: false }, (socket) => {
      if (this.#open.size >= SESSIONS_MAXIMUM) {
        turnAway(socket, new EngineError('LIMIT_EXCEEDED', `${SESSIONS_MAXIMUM} programs run in this container already`))
        return
      }
      const session = new Session(socket, this.#parts)
      this.#open.add(session)
      session.closed.then(() => this.#open.delete(session))
    })
    // One that cannot be let in, for want of descriptors, is turned away by the kernel.
    this.#server.on('error', () => {})
  }

  listen(at: StartMessage['sessions']): void {
    if ('descriptor' in at) {
      this.#server.listen({ fd: at.descriptor })
      return
    }
    // By way of the folder: an address has room for some hundred bytes only.
    const folder = openSync(at.folder, constants.O_RDONLY | constants.O_DIRECTORY)
    const path = `/proc/self/fd/${folder}/${SESSIONS_SOCKET}`
    rmSync(path, { force: true })
    this.#server.listen({ path })
  }

  /** Lets nobody in any more and ends all programs. Resolves when none touches a file. */
  async end(): Promise<void> {
    this.#server.close()
    await Promise.all([...this.#open].map((session) => session.end()))
  }
}
