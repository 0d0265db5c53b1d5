/** Runs a guest in this process over a file tree in memory: for tests of preview1 itself, where no wall matters. */
import { randomFillSync } from 'node:crypto'
import type { FileSystem } from '../../src/fs/file-system.js'
import { fromUtf8 } from '../../src/fs/names.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { DescriptorTable } from '../../src/wasm/preview1/descriptor-table.js'
import { GuestTree } from '../../src/wasm/preview1/guest-tree.js'
import { GuestExit, type Host } from '../../src/wasm/preview1/host.js'
import { PREVIEW1 } from '../../src/wasm/preview1/names.js'
import { preopenedDirectory } from '../../src/wasm/preview1/path-open.js'
import { createPreview1 } from '../../src/wasm/preview1/preview1.js'
import { StreamDescriptor } from '../../src/wasm/preview1/stream-descriptor.js'

/** What a test gives its guest. */
export interface GuestOptions {
  readonly args?: readonly string[]
  readonly env?: readonly string[]
  readonly stdin?: string
  readonly fs?: FileSystem
  readonly uid?: number
  readonly readonly?: boolean
  readonly openFiles?: number
  /** Preopened directories by name; `/` when absent. */
  readonly preopens?: readonly string[]
  /** False lets no time pass while it waits: its clock goes on by as much. */
  readonly waits?: boolean
}

/** What came of it. */
export interface GuestResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** preview1 with everything a test may want to look at. */
export function makePreview1(options: GuestOptions = {}) {
  const written = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] }
  const stdin = new TextEncoder().encode(options.stdin ?? '')
  let consumed = 0
  let passedNs = 0n
  const host: Host = {
    args: (options.args ?? ['guest']).map(fromUtf8),
    env: (options.env ?? []).map(fromUtf8),
    clock: {
      resolutionNs: 1000n,
      realtimeNs: () => BigInt(Date.now()) * 1_000_000n,
      monotonicNs: () => process.hrtime.bigint() + passedNs,
      cpuNs: () => BigInt(process.cpuUsage().user) * 1000n,
    },
    random: (buffer) => void randomFillSync(buffer),
    wait: (_stdin, deadlineNs) => {
      if (options.waits === false) {
        passedNs += deadlineNs === null ? 1n : deadlineNs - (process.hrtime.bigint() + passedNs)
        return
      }
      const milliseconds = deadlineNs === null ? 1 : Number(deadlineNs - process.hrtime.bigint()) / 1e6
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.max(0, milliseconds))
    },
  }
  const fs = options.fs ?? new UnionFs({ lowers: [] })
  const tree = new GuestTree(fs, {
    credentials: { uid: options.uid ?? 0, gid: options.uid ?? 0, additionalGids: [] },
    readonly: options.readonly ?? false,
  })
  const table = new DescriptorTable(options.openFiles ?? 1024)
  table.add(
    new StreamDescriptor({
      terminal: false,
      input: {
        available: () => ({ bytes: stdin.length - consumed, ended: consumed === stdin.length }),
        read: (buffer) => {
          const part = stdin.subarray(consumed, consumed + buffer.length)
          buffer.set(part)
          consumed += part.length
          return part.length
        },
      },
    }),
  )
  for (const name of ['stdout', 'stderr'] as const)
    table.add(new StreamDescriptor({ terminal: false, output: { write: (buffer) => void written[name].push(buffer.slice()) } }))
  for (const name of options.preopens ?? ['/']) {
    const { directory } = tree.walkAsHost(fromUtf8(name))
    if (directory === null) throw new Error(`${name} is no directory`)
    table.add(preopenedDirectory(tree, directory, fromUtf8(name)))
  }
  const text = (name: 'stdout' | 'stderr') => Buffer.concat(written[name]).toString()
  return { preview1: createPreview1({ host, table, tree }), host, table, tree, fs, text }
}

/** Runs a module to its end. A trap is thrown. */
export function runGuest(bytes: Uint8Array, options: GuestOptions = {}): GuestResult {
  const { preview1, text } = makePreview1(options)
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { [PREVIEW1]: preview1.functions })
  preview1.attach(instance.exports.memory as WebAssembly.Memory)
  let exitCode = 0
  try {
    ;(instance.exports._start as () => void)()
  } catch (error) {
    if (!(error instanceof GuestExit)) throw error
    exitCode = error.exitCode
  }
  return { exitCode, stdout: text('stdout'), stderr: text('stderr') }
}
