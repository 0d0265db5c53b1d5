/**
 * File systems of this process as mounts of a native container: the kernel can't ask this process, so each is copied into memory of the
 * container's own before the guest begins, and what has changed there is copied back when nothing of the container lives any more.
 */
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EngineError, messageOf } from '../errors.js'
import { fromUtf8, toUtf8 } from '../fs/names.js'
import { FIRST_DESCRIPTOR, type LauncherProcess } from '../launcher/client.js'
import { TreeStreamDecoder } from '../launcher/tree-stream.js'
import { LentTree } from '../rootfs/lent-tree.js'
import { type LeftOut, ReturnedTree } from '../rootfs/returned-tree.js'
import { treeStream } from '../rootfs/write-directory.js'
import { type OpenedObject, objectInodes } from '../runtime/object-mounts.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { pages, type TreeMount } from './plan.js'

interface Lent {
  readonly object: OpenedObject
  readonly tree: LentTree
  readonly mount: TreeMount
  /** What else is mounted below it. */
  readonly places: readonly string[]
}

/** What was left out is told by so many names; of the rest there is the number. */
const TOLD = 5

/** The objects of one container, on their way there and back. */
export class LentObjects {
  /** Of the launcher: `pipe` for each stream. */
  readonly descriptors: readonly 'pipe'[]
  /** For the plan, by destination. */
  readonly mounts: ReadonlyMap<string, TreeMount>
  /**
   * Resolves when all of it is back, with a sentence about what the objects could not take, or null. Rejects, when all have been tried, with
   * what the first that is not back failed with.
   */
  readonly settled: Promise<string | null>
  readonly #lent: readonly Lent[]
  #failure: unknown = null
  #settle: (settled: Promise<string | null>) => void = () => {}

  constructor(objects: readonly OpenedObject[], spec: ContainerSpec) {
    const descriptors: 'pipe'[] = []
    const add = () => FIRST_DESCRIPTOR + descriptors.push('pipe') - 1
    this.#lent = objects.map((object) => {
      const { destination, sizeBytes, readonly } = object.mount
      const tree = new LentTree(object.fs)
      const { bytes, inodes } = tree.size()
      const size = { bytes: bytes + pages(sizeBytes), inodes: inodes + objectInodes(sizeBytes) }
      return { object, tree, mount: { ...size, from: add(), to: readonly ? null : add() }, places: placesBelow(destination, spec) }
    })
    this.descriptors = descriptors
    this.mounts = new Map(this.#lent.map(({ object, mount }) => [object.mount.destination, mount]))
    this.settled = new Promise((resolve) => {
      this.#settle = resolve
    })
    // Whoever waits for the guest hears of it.
    this.settled.catch(() => {})
  }

  /** What kept an object from being read; the launcher says only that a stream ended too early. */
  get failure(): unknown {
    return this.#failure
  }

  /** Gives them to the launcher, and takes in what it gives back. */
  follow(launcher: LauncherProcess): void {
    const stream = (descriptor: number) => launcher.streams[descriptor - FIRST_DESCRIPTOR] ?? null
    for (const { tree, mount } of this.#lent) {
      const input = stream(mount.from)
      if (input !== null) void pipeline(Readable.from(this.#observed(treeStream(tree.records()))), input).catch(() => {})
    }
    this.#settle(
      this.#takeBack(
        this.#lent.map((lent) => ({ lent, output: lent.mount.to === null ? null : (stream(lent.mount.to) as Readable | null) })),
      ),
    )
  }

  *#observed<Piece>(pieces: Iterable<Piece>): Generator<Piece> {
    try {
      yield* pieces
    } catch (error) {
      this.#failure ??= error
      throw error
    }
  }

  async #takeBack(lent: readonly { readonly lent: Lent; readonly output: Readable | null }[]): Promise<string | null> {
    const results = await Promise.allSettled(lent.map(({ lent, output }) => (output === null ? null : takeBack(lent, output))))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    const told = results.flatMap((result) => (result.status === 'fulfilled' && result.value !== null ? [result.value] : []))
    return told.length === 0 ? null : told.join('; ')
  }
}

/** Relative paths of other mounts, and of the working directory, which a wall makes where they are missing. */
function placesBelow(destination: string, { mounts, process: { cwd } }: ContainerSpec): string[] {
  const top = `${posix.join('/', destination)}/`
  return [...mounts.map((mount) => mount.destination), cwd]
    .map((place) => posix.join('/', place))
    .filter((place) => place.startsWith(top))
    .map((place) => fromUtf8(place.slice(top.length).replace(/\/$/, '')))
}

async function takeBack({ object: { mount, fs }, tree, places }: Lent, output: Readable): Promise<string | null> {
  const { destination, sizeBytes } = mount
  const returned = new ReturnedTree(tree, { bytes: sizeBytes, inodes: objectInodes(sizeBytes), places })
  try {
    await collect(output, returned)
  } catch (error) {
    throw notBack(destination, error, 'The file system is as if the guest had not run')
  }
  try {
    await returned.applyTo(fs)
  } catch (error) {
    throw notBack(destination, error, 'Part of it is in the file system')
  }
  return returned.leftOutCount === 0 ? null : leftOutSentence(destination, returned.leftOut, returned.leftOutCount)
}

async function collect(output: Readable, returned: ReturnedTree): Promise<void> {
  const decoder = new TreeStreamDecoder()
  // A reader who goes leaves the launcher with a stream that nobody reads, and so it goes on.
  for await (const chunk of output) for (const record of decoder.push(chunk as Buffer)) returned.take(record)
  decoder.finish()
}

function notBack(destination: string, cause: unknown, state: string): EngineError {
  const code = cause instanceof EngineError ? cause.code : 'INTERNAL'
  return new EngineError(code, `what the guest left at ${destination} is not taken back: ${messageOf(cause)}`, {
    cause,
    hint: code === 'LIMIT_EXCEEDED' ? `${state}. Let more come to it with sizeBytes.` : `${state}.`,
    data: { destination },
  })
}

function leftOutSentence(destination: string, leftOut: readonly LeftOut[], count: number): string {
  const names = leftOut.slice(0, TOLD).map(({ path, why }) => `${JSON.stringify(posix.join(destination, toUtf8(path)))} (${why})`)
  return `left out of the file system at ${destination}: ${names.join(', ')}${count > TOLD ? `, and ${count - TOLD} more` : ''}`
}
