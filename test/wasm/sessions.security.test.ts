/** What those who connect to a sandbox may do to it, and what a sandbox that was broken open may do to those who ask it. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { recordGuest } from '../../src/runtime/running-task.js'
import type { Task } from '../../src/runtime/runtime.js'
import { tarOutput } from '../../src/wasm/file-session.js'
import { FRAME, frame, INPUT_WINDOW_BYTES } from '../../src/wasm/sandbox/session-protocol.js'
import { parseRequest } from '../../src/wasm/sandbox/session-request.js'
import { parseSessionEvent } from '../../src/wasm/session-event.js'
import { WasmRuntime } from '../../src/wasm/wasm-runtime.js'
import { rejection } from '../support/rejection.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'
import { withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/sessions.security')

const PROCESS = { args: ['/probe.wasm', 'print', 'x'], env: [], cwd: '/', user: { uid: 0, gid: 0, additionalGids: [] }, terminal: false }
const request = (change: object = {}) => Buffer.from(JSON.stringify({ request: 'exec', process: PROCESS, openStdin: true, ...change }))

interface Attacked {
  readonly task: Task
  readonly folder: string
  /** A connection to its socket. */
  connect(): Promise<Socket>
  /** That another program runs as if nothing had happened. */
  assertUnharmed(): Promise<void>
}

function withSandbox(body: (attacked: Attacked) => Promise<void>): () => Promise<void> {
  return () =>
    withWasmWall({}, async ({ runtime, create, folder: scratch }) => {
      const directory = mkdtempSync(join(scratch, 'attacked-'))
      const task = await create(['/probe.wasm', 'echo'], {}, { directory })
      await task.start()
      const spec = containerSpec()
      const assertUnharmed = async () => {
        const process = { ...spec.process, args: ['/probe.wasm', 'print', 'unharmed'] }
        const exec = await runtime.exec({ id: 'x', directory, spec, process, openStdin: false, outlives: false, endRecord: null })
        const said = text(exec.stdout)
        await exec.start()
        assert.is((await exec.wait()).exitCode, 0)
        assert.is(await said, 'unharmed\n')
        await exec.delete()
      }
      await assertUnharmed()
      const folder = join(directory, 'wasm')
      const connect = () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = createConnection(join(folder, 'sandbox'), () => resolve(socket))
          socket.on('error', reject)
        })
      await body({ task, folder, connect, assertUnharmed })
    })
}

/** What comes until the sandbox hangs up. */
async function untilClosed(socket: Socket): Promise<string> {
  let heard = ''
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1')
  })
  await new Promise<void>((resolve) => socket.on('close', () => resolve()))
  return heard
}

const lyingHeader = (kind: number, length: number) => {
  const header = Buffer.alloc(8)
  header[0] = kind
  header.writeUInt32BE(length, 4)
  return header
}

const LIES: Readonly<Record<string, readonly Buffer[]>> = {
  'a length of four gigabytes': [lyingHeader(FRAME.command, 0xffff_ffff)],
  'a kind that there is not': [lyingHeader(0x7a, 4)],
  'output instead of input': [frame(FRAME.stdout, Buffer.from('x'))],
  'no JSON': [frame(FRAME.command, Buffer.from('exec'))],
  'another request': [frame(FRAME.command, request({ request: 'everything' }))],
  'no arguments': [frame(FRAME.command, request({ process: { ...PROCESS, args: [] } }))],
  'an argument with a NUL': [frame(FRAME.command, request({ process: { ...PROCESS, args: ['/probe.wasm\0'] } }))],
  'a user that is none': [frame(FRAME.command, request({ process: { ...PROCESS, user: { uid: -1, gid: 0, additionalGids: [] } } }))],
  'a relative working directory': [frame(FRAME.command, request({ process: { ...PROCESS, cwd: '..' } }))],
  'input before the request': [frame(FRAME.input, Buffer.from('x'))],
  'a command that there is not': [frame(FRAME.command, request()), frame(FRAME.command, Buffer.from('eval 1'))],
  'to outlive before it has begun': [frame(FRAME.command, request()), frame(FRAME.command, Buffer.from('outlive'))],
  'a long command': [frame(FRAME.command, request()), lyingHeader(FRAME.command, 1 << 20)],
  'input beyond the window': [
    frame(FRAME.command, request({ process: { ...PROCESS, args: ['/probe.wasm', 'loop'] } })),
    ...Array.from({ length: 4 }, () => frame(FRAME.input, Buffer.alloc(INPUT_WINDOW_BYTES))),
  ],
}

test(
  'who lies to a sandbox is hung up on, and nobody else is harmed',
  withSandbox(async ({ connect, assertUnharmed }) => {
    for (const [lie, frames] of Object.entries(LIES)) {
      const socket = await connect()
      const heard = untilClosed(socket)
      for (const each of frames) socket.write(each)
      const closed = await Promise.race([heard.then(() => true), sleep(5000, false, { ref: false })])
      assert.ok(closed, lie)
    }
    await assertUnharmed()
  }),
)

test(
  'half a frame is waited for by nobody, and takes no memory that has not been sent',
  withSandbox(async ({ connect, assertUnharmed, task }) => {
    const before = residentBytes(task.pid)
    const sockets = await Promise.all(Array.from({ length: 32 }, () => connect()))
    for (const socket of sockets) socket.write(lyingHeader(FRAME.command, 8 * 2 ** 20))
    await assertUnharmed()
    assert.ok(residentBytes(task.pid) - before < 64 * 2 ** 20)
    for (const socket of sockets) socket.destroy()
    await assertUnharmed()
  }),
)

test(
  'clients that vanish anywhere leave no program behind',
  withSandbox(async ({ connect, assertUnharmed, task }) => {
    const threads = threadsOf(task.pid)
    for (let turn = 0; turn < 24; turn++) {
      const socket = await connect()
      socket.on('error', () => {})
      socket.write(frame(FRAME.command, request({ process: { ...PROCESS, args: ['/probe.wasm', 'loop'] } })))
      await sleep(turn * 4)
      socket.write(frame(FRAME.command, Buffer.from('go')))

      socket.destroy()
    }
    await assertUnharmed()
    for (let tries = 0; threadsOf(task.pid) > threads + 1 && tries < 1200; tries++) await sleep(25)
    assert.ok(threadsOf(task.pid) <= threads + 1, `${threads} threads before, ${threadsOf(task.pid)} after`)
  }),
)

test(
  'a client that reads nothing makes only its own program wait',
  withSandbox(async ({ connect, assertUnharmed, task }) => {
    const socket = await connect()
    socket.pause()
    socket.write(frame(FRAME.command, request({ process: { ...PROCESS, args: ['/probe.wasm', 'output', '0'] } })))
    await sleep(300)
    socket.write(frame(FRAME.command, Buffer.from('go')))
    await sleep(300)
    const before = residentBytes(task.pid)
    await sleep(500)
    assert.ok(residentBytes(task.pid) - before < 16 * 2 ** 20)
    await assertUnharmed()
    socket.destroy()
  }),
)

test(
  'its socket is the user’s alone',
  withSandbox(async ({ folder }) => {
    assert.is(statSync(folder).mode & 0o077, 0)
  }),
)

test('a request is read with the members that it has and no others', () => {
  const parsed = parseRequest(request({ more: 1, process: { ...PROCESS, more: 2 } }).toString())
  assert.equal(parsed, { request: 'exec', process: PROCESS, openStdin: true })
  for (const wrong of ['', '1', 'null', '[]', '{}', '{"request":"read-file","path":"x","maximumBytes":1}'])
    assert.is(parseRequest(wrong), null)
  for (const maximumBytes of [-1, 1.5, '1', null])
    assert.is(parseRequest(JSON.stringify({ request: 'read-file', path: '/x', maximumBytes })), null)
})

test('an event is read with the members that it has and no others', () => {
  const exited = { event: 'exited', exitCode: 3, reason: 'exited', durationMs: 1 }
  assert.equal(parseSessionEvent(JSON.stringify({ ...exited, more: 1 })), exited)
  for (const change of [{ exitCode: 256 }, { exitCode: -1 }, { reason: 'well' }, { durationMs: -1 }, { signal: 'SIGNOT' }])
    assert.is(parseSessionEvent(JSON.stringify({ ...exited, ...change })), null)
  for (const wrong of ['', '1', 'null', '{}', '{"event":"else"}', '{"event":"failed","code":"NO","message":"","data":{}}'])
    assert.is(parseSessionEvent(wrong), null)
})

/** A sandbox that was broken open, in the place of an honest one. */
async function withHostile(answer: (socket: Socket, heard: Buffer) => void, body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'wolffia-hostile-'))
  const folder = join(directory, 'wasm')
  mkdirSync(folder, { mode: 0o700 })
  chmodSync(folder, 0o700)
  recordGuest(folder, { guest: process.pid })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (heard) => answer(socket, heard))
  })
  await new Promise<void>((resolve) => server.listen(join(folder, 'sandbox'), () => resolve()))
  try {
    await body(directory)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

const event = (said: object) => frame(FRAME.event, Buffer.from(JSON.stringify(said)))

test('a sandbox that says what none says is believed nothing: its program was not made ready', async () => {
  const words: readonly Buffer[] = [
    lyingHeader(FRAME.event, 0xffff_ffff),
    lyingHeader(FRAME.stdout, 1 << 30),
    frame(0x7a, Buffer.from('x')),
    event({ event: 'ready', evidence: { engine: 7 } }),
    event({ event: 'failed', code: 'NO_SUCH_CODE', message: 'x', data: {} }),
    frame(FRAME.event, Buffer.from('{')),
    frame(FRAME.taken, Buffer.from([255, 255, 255, 255])),
  ]
  for (const word of words)
    await withHostile(
      (socket) => socket.write(word),
      async (directory) => {
        const spec = containerSpec()
        const error = await new WasmRuntime()
          .exec({ id: 'x', directory, spec, process: spec.process, openStdin: true, outlives: false, endRecord: null })
          .then(
            () => null,
            (reason: unknown) => reason,
          )
        assert.ok(error instanceof EngineError && error.code === 'SANDBOX_FAILED', String(error))
      },
    )
})

/** As fast as it is taken. */
function sendForEver(socket: Socket): void {
  const send = () => {
    while (!socket.destroyed && socket.write(frame(FRAME.stdout, Buffer.alloc(60_000))));
  }
  socket.on('drain', send)
  send()
}

test('a sandbox that sends a file without end is stopped at what it was asked for', () =>
  withHostile(sendForEver, async (directory) => {
    const error = await new WasmRuntime().readFile(directory, containerSpec(), '/etc/passwd', 1 << 20).catch((reason) => reason)
    assert.is(error.code, 'SANDBOX_FAILED')
  }))

test('a sandbox whose tar has no end is given up where every archive is, by cp and by export', () =>
  withHostile(sendForEver, async (directory) => {
    process.env.WOLFFIA_ARCHIVE_BYTES = '1m'
    try {
      for (const request of [{ request: 'read-root' } as const, { request: 'read', path: '/', name: 'x' } as const]) {
        const all = async () => {
          for await (const _ of tarOutput(join(directory, 'wasm'), request));
        }
        const error = await rejection(all(), 'LIMIT_EXCEEDED')
        assert.match(error.hint ?? '', /WOLFFIA_ARCHIVE_BYTES/)
      }
    } finally {
      delete process.env.WOLFFIA_ARCHIVE_BYTES
    }
  }))

function status(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'utf8')
}

function threadsOf(pid: number): number {
  return Number(/^Threads:\t(\d+)/m.exec(status(pid))?.[1])
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(status(pid))?.[1]) * 1024
}

test.run()
