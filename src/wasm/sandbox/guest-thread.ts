import { DescriptorTable } from '../preview1/descriptor-table.js'
import { errnoOf, WASI_ERRNO } from '../preview1/errno.js'
import { GuestMemory } from '../preview1/guest-memory.js'
import type { GuestTree } from '../preview1/guest-tree.js'
import type { OutputStream } from '../preview1/host.js'
import { PREVIEW1, PREVIEW1_NAMES } from '../preview1/names.js'
import { createPreview1, type Preview1 } from '../preview1/preview1.js'
import { SPAWN_FIELD, SPAWN_MODULE, THREAD_START } from '../thread-names.js'
import { guestHost } from './guest-host.js'
import { pause } from './output.js'
import type { StdinReader } from './ring.js'
import { SharedCalls } from './shared-calls.js'
import type { ThreadTask } from './thread-messages.js'

/** What a thread has of its own. */
export interface ThreadParts {
  readonly stdin: StdinReader
  /** stdout and stderr, used under the lock that all threads share. */
  readonly outputs: readonly [OutputStream, OutputStream]
  /** Has the main thread make one more. */
  readonly spawn: (slot: number, thread: number, argument: number) => void
}

type ThreadImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** A thread of a guest, ready to run. */
export interface GuestThread {
  readonly preview1: Preview1
  readonly imports: ThreadImports
  /** Runs it to its end, once it is instantiated. */
  run(exports: WebAssembly.Instance['exports']): void
}

/** Of these every thread answers itself; all others are about descriptors. */
const OWN = /^(args|environ|clock|random|proc|sched)_/
const LONGEST_WAIT_MS = 2 ** 31

/** Makes the functions that a thread's instance is linked with. */
export function guestThread(task: ThreadTask, { stdin, outputs, spawn }: ThreadParts): GuestThread {
  const calls = new SharedCalls(task.calls)
  const memory = new GuestMemory(task.memory)
  const host = guestHost(task.process, task.clockStartNs)
  // Its own table stays empty, and its tree is never asked for.
  const preview1 = createPreview1({ host, table: new DescriptorTable(0), tree: null as unknown as GuestTree })
  preview1.attach(task.memory)

  const write = (stream: number, iovs: number, count: number, written: number): number => {
    try {
      const buffers = memory.buffers(iovs, count)
      let total = 0
      calls.withOutput(() => {
        for (const buffer of buffers) {
          if (buffer.length > 0) outputs[stream === 1 ? 0 : 1].write(buffer)
          total += buffer.length
        }
      })
      memory.setU32(written, total)
      return 0
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      return errno
    }
  }

  const ask =
    (name: string) =>
    (...args: (number | bigint)[]): number => {
      if (preview1.exit !== null) throw preview1.exit
      for (let again = false; ; again = true) {
        const answer = calls.ask(task.slot, name, args, again)
        if (answer.kind === 'done') return answer.errno
        if (answer.kind === 'write') return write(answer.stream, Number(args[1]), Number(args[2]), Number(args[3]))
        const timeoutMs = answer.timeoutNs === null ? LONGEST_WAIT_MS : Math.min(Number(answer.timeoutNs) / 1e6, LONGEST_WAIT_MS)
        if (answer.forInput) stdin.wait(timeoutMs)
        else pause(timeoutMs)
      }
    }

  /** Negative when there are as many threads as may be (wasi-threads, "thread-spawn"). */
  const threadSpawn = (argument: number): number => {
    const slot = calls.take()
    if (slot === null) return -WASI_ERRNO.EAGAIN
    const thread = calls.nextThread()
    if (thread === null) return -WASI_ERRNO.EAGAIN
    spawn(slot, thread, argument)
    return thread
  }

  const asked = Object.fromEntries([...PREVIEW1_NAMES].filter((name) => !OWN.test(name)).map((name) => [name, ask(name)]))
  const functions = { ...preview1.functions, ...asked }
  const imports: Record<string, ThreadImports[string]> = { [PREVIEW1]: functions, [SPAWN_MODULE]: { [SPAWN_FIELD]: threadSpawn } }
  for (const { module, name, kind } of WebAssembly.Module.imports(task.module))
    if (kind === 'memory') imports[module] = { ...imports[module], [name]: task.memory }

  return {
    preview1,
    imports,
    run(exports) {
      if (task.spawned === null) (exports._start as () => void)()
      else (exports[THREAD_START] as (thread: number, argument: number) => void)(task.spawned.thread, task.spawned.argument)
    },
  }
}
