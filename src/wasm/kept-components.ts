/**
 * What components were transpiled to, so that it is done once for each and not by every run. It is kept under the digest that this process has worked out of
 * the bytes which it then handed to a process that transpiles and does nothing else (`transpile-process.ts`). No sandbox has a say in
 * it: one that runs a guest may be that guest's by then.
 */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assetPath } from '../launcher/installation.js'
import type { Digest } from '../oci/digest.js'
import type { Program } from '../runtime/magic.js'
import type { CreateRequest } from '../runtime/runtime.js'
import type { Rootfs } from '../runtime/spec.js'
import { isTranspiledSound, type TranspiledLabel, TranspiledWriter, transpiledPath } from '../store/transpiled-components.js'
import { isComponent } from './component/component-binary.js'
import type { NativeWall } from './double-wall.js'
import { fileDigest } from './program-digest.js'
import { transpileInProcess } from './transpile-process.js'

/** A component of an image, by what this process has read of it. */
export interface KeptComponent {
  readonly digest: Digest
  /** File with what it was transpiled to, whole when it was last looked at; null where there is none and none could be made. */
  readonly path: string | null
}

const PREAMBLE_BYTES = 8

/** The components of images that a wall runs. */
export class KeptComponents {
  readonly #nativeWall: NativeWall
  readonly #making = new Map<string, Promise<void>>()
  /** Files that were found to be whole, by what changes when they do. */
  readonly #sound = new Map<string, string>()

  constructor(nativeWall: NativeWall) {
    this.#nativeWall = nativeWall
  }

  /**
   * The image's program, if it is a component that can be run like this: transpiled before, or now. Null for anything else. Rejects
   * with what `signal` is aborted for, and for nothing else: what cannot be transpiled or kept here the sandbox transpiles, and says why not.
   */
  async ensure({ spec, rootfs, signal }: CreateRequest, { ino }: Program): Promise<KeptComponent | null> {
    const top = rootfs.layers.at(-1)
    if (ino === null || top === undefined || rootfs.layers.some(({ lazy }) => lazy !== undefined)) return null
    const preamble = new Uint8Array(PREAMBLE_BYTES)
    rootfs.tree().read(ino, preamble, 0)
    // What it is refused for is the sandbox's to say.
    if (!isComponent(preamble) || spec.wasiEngine === 'wasmer') return null
    const digest = fileDigest(rootfs, ino)
    const path = transpiledPath(top, digest)
    const label = { component: digest, transpiler: transpiler() }
    try {
      if (!this.#isSound(path, label)) await this.#makeOnce(path, label, readWhole(rootfs, ino), signal)
      return { digest, path: this.#isSound(path, label) ? path : null }
    } catch {
      signal?.throwIfAborted()
      return { digest, path: null }
    }
  }

  async #makeOnce(path: string, label: TranspiledLabel, component: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const running = this.#making.get(path)
    // Of another run's, which may be stopped: this one looks for itself.
    if (running !== undefined) return running.catch(() => this.#makeOnce(path, label, component, signal))
    const making = this.#make(path, label, component, signal).finally(() => this.#making.delete(path))
    this.#making.set(path, making)
    return making
  }

  async #make(path: string, label: TranspiledLabel, component: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    if (digestOf(component) !== label.component) return
    const writer = new TranspiledWriter(path, label)
    try {
      await transpileInProcess(component, {
        nativeWall: this.#nativeWall,
        take: (bytes) => writer.write(bytes),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (error) {
      writer.discard()
      throw error
    }
    writer.keep()
  }

  #isSound(path: string, label: TranspiledLabel): boolean {
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) return false
    const key = [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':')
    if (this.#sound.get(path) === key) return true
    if (!isTranspiledSound(path, label)) return false
    this.#sound.set(path, key)
    return true
  }
}

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function readWhole(rootfs: Rootfs, ino: NonNullable<Program['ino']>): Uint8Array {
  const tree = rootfs.tree()
  const bytes = new Uint8Array(tree.stat(ino).size)
  tree.read(ino, bytes, 0)
  return bytes
}

let known: string | undefined

/** The transpiler by its own files and by Node, so that another wolffia's or another jco's is another. */
function transpiler(): string {
  if (known !== undefined) return known
  const folder = assetPath('sandbox')
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).sort())
    if (/^transpiler\.bundle\.js$|\.wasm$/.test(name)) hash.update(`${name}\n`).update(readFileSync(join(folder, name)))
  known = `${hash.digest('hex')} ${process.version}`
  return known
}
