/** Images of Wasm guests for tests, and a way to run one behind the Wasm wall. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fromUtf8 } from '../../src/fs/names.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { assetPath } from '../../src/launcher/installation.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { indexTar, serializeIndex } from '../../src/layer/index.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import type { ExitStatus } from '../../src/runtime/exit.js'
import type { Receipt } from '../../src/runtime/receipt.js'
import type { CreateRequest, Task } from '../../src/runtime/runtime.js'
import type { Rootfs } from '../../src/runtime/spec.js'
import { WasmRuntime, type WasmRuntimeOptions } from '../../src/wasm/wasm-runtime.js'
import { containerSpec, type SpecChange } from './specs.js'

/** Content of a file, or `{ target }` of a symlink, by path; directories are made on the way. */
export type Files = Readonly<Record<string, string | Uint8Array | { readonly target: string }>>

/** The bytes of a guest of `wasm/`. */
export function guestBytes(name: string): Uint8Array {
  return readFileSync(assetPath(`wasm/${name}.wasm`))
}

/** A root of one layer, in a folder of its own. */
export function makeRootfs(folder: string, files: Files): Rootfs {
  const tarPath = join(folder, `${randomBytes(4).toString('hex')}.tar`)
  const indexPath = `${tarPath}.index`
  writeFileSync(tarPath, Buffer.concat([...packTar(entriesOf(files))]))
  const source = openFileSource(tarPath)
  const index = indexTar(source)
  const tree = new UnionFs({ lowers: [new PackedLayer(index, source)] })
  writeFileSync(indexPath, serializeIndex(index))
  return {
    layers: [{ diffId: `sha256:${'0'.repeat(64)}`, tarPath, indexPath }],
    tree: () => tree,
  }
}

function* entriesOf(files: Files): Generator<PackEntry> {
  const attributes = { uid: 0, gid: 0, mtimeNs: 1_700_000_000_000_000_000n }
  const made = new Set<string>()
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/').filter((name) => name !== '')
    for (let depth = 1; depth < names.length; depth++) {
      const directory = names.slice(0, depth).join('/')
      if (made.has(directory)) continue
      made.add(directory)
      yield { ...attributes, path: fromUtf8(directory), type: 'directory', mode: 0o755 }
    }
    const entry = { ...attributes, path: fromUtf8(names.join('/')) }
    if (typeof content === 'object' && 'target' in content)
      yield { ...entry, type: 'symlink', mode: 0o777, target: fromUtf8(content.target) }
    else {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content
      yield { ...entry, type: 'file', mode: 0o755, contents: contentsOf(bytes) }
    }
  }
}

function contentsOf(bytes: Uint8Array) {
  return {
    size: bytes.length,
    read: (buffer: Uint8Array, position: number) => {
      const part = bytes.subarray(position, position + buffer.length)
      buffer.set(part)
      return part.length
    },
  }
}

/** What a run gives. */
export interface WallResult {
  readonly status: ExitStatus
  readonly stdout: string
  readonly stderr: string
  readonly receipt: Receipt
}

/** A wall and one image, for one test. */
export interface WasmWall {
  readonly runtime: WasmRuntime
  readonly rootfs: Rootfs
  readonly folder: string
  /** Makes a container, not started; deleted with the wall. */
  create(args: readonly string[], change?: SpecChange, request?: Partial<CreateRequest>): Promise<Task>
  /** Runs one to its end. */
  run(
    args: readonly string[],
    options?: {
      readonly change?: SpecChange
      /** Null leaves it open. */
      readonly stdin?: string | null
      readonly request?: Partial<CreateRequest>
    },
  ): Promise<WallResult>
}

/** Opens a wall over an image with `files` (and the probe as /probe.wasm), and cleans up whatever happens. */
export async function withWasmWall(files: Files, body: (wall: WasmWall) => Promise<void>, options: WasmRuntimeOptions = {}): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-wasm-'))
  const runtime = new WasmRuntime(options)
  const tasks: Task[] = []
  try {
    const rootfs = makeRootfs(folder, { '/probe.wasm': guestBytes('probe'), ...files })
    const create: WasmWall['create'] = async (args, change = {}, request = {}) => {
      const id = randomBytes(32).toString('hex')
      const spec = containerSpec({ ...change, process: { args, ...change.process } })
      const task = await runtime.create({
        id,
        directory: mkdtempSync(join(folder, 'container-')),
        spec,
        rootfs,
        openStdin: true,
        ...request,
      })
      tasks.push(task)
      return task
    }
    const run: WasmWall['run'] = async (args, { change, stdin = '', request } = {}) => {
      const task = await create(args, change, request)
      const output = [read(task.stdout), task.stderr === null ? '' : read(task.stderr)] as const
      await task.start()
      if (stdin !== null) task.stdin?.end(stdin)
      const status = await task.wait()
      const [stdout, stderr] = await Promise.all(output)
      return { status, stdout, stderr, receipt: await task.receipt() }
    }
    await body({ runtime, rootfs, folder, create, run })
  } finally {
    for (const task of tasks) await task.delete()
    rmSync(folder, { recursive: true, force: true })
  }
}

function read(stream: Readable): Promise<string> {
  return text(stream).catch(() => '')
}
