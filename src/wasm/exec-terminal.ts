import { constants } from 'node:os'
import { type Readable, Transform, Writable } from 'node:stream'
import { forScreen, LineDiscipline } from './line-discipline.js'
import type { SandboxSession } from './sandbox-session.js'

/** The two streams of a terminal: what is typed, and the screen. */
export interface ExecTerminal {
  readonly stdin: Writable
  readonly stdout: Readable
}

/** A terminal for a program in a sandbox, which is told that it has one. */
export function execTerminal(session: SandboxSession): ExecTerminal {
  const discipline = new LineDiscipline()
  const screen = new Transform({ transform: (chunk: Buffer, _encoding, done) => done(null, forScreen(chunk)) })
  session.stdout.pipe(screen)
  session.stderr.resume()
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const { input, echo, signal, isEnd } = discipline.type(chunk)
      // One whose program has ended shows nothing more.
      if (echo.length > 0 && !screen.writableEnded) screen.push(echo)
      const go = () => {
        if (signal !== null) session.signal(constants.signals[signal])
        if (isEnd) session.stdin.end()
        done()
      }
      if (input.length > 0 && session.stdin.writable) session.stdin.write(input, go)
      else go()
    },
    final: (done) => {
      if (session.stdin.writable) session.stdin.end(discipline.rest())
      done()
    },
  })
  stdin.on('error', () => {})
  session.exited.then(() => stdin.destroy())
  return { stdin, stdout: screen }
}
