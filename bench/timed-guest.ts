import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { Limits } from '../src/runtime/limits.js'
import { compileGuest, type GuestName } from './compile-guest.js'
import type { Subject } from './measure.js'
import { requireWall } from './require-wall.js'
import type { Workbench } from './workbench.js'

/** A tmpfs that every Linux has. */
const MEMORY_DIRECTORY = '/dev/shm'

/** A guest's work as an ordinary process. The guest takes its own time and prints nanoseconds; `directory` is made by it, on a tmpfs. */
export async function bareGuest(workbench: Workbench, guest: GuestName, words: (directory: string) => readonly string[]): Promise<Subject> {
  const { nativePath } = await compileGuest(workbench, guest)
  const directory = join(MEMORY_DIRECTORY, `wolffia-bench-${process.pid}`)
  const sample = async () => {
    try {
      const { stdout } = await promisify(execFile)(nativePath, [...words(directory)])
      return Number(stdout) / 1e6
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
  return { name: 'bare', sample }
}

/** The same source behind the Wasm wall, in a fresh container, on its writable layer. */
export async function sandboxedGuest(
  workbench: Workbench,
  guest: GuestName,
  words: (directory: string) => readonly string[],
  { name = 'wasm', limits = {} }: { readonly name?: string; readonly limits?: Limits } = {},
): Promise<Subject> {
  const engine = await workbench.engine()
  const image = await guestImage(workbench, guest)
  const sample = async () => {
    await using container = await engine.containers.create({ image, command: words('/work'), runtime: 'wasm', limits, autoRemove: true })
    const output = text(container.stdout)
    container.stderr?.resume()
    await container.start()
    const { exitCode } = await container.wait()
    if (exitCode !== 0) throw new Error(`ended with ${exitCode}`)
    return Number(await output) / 1e6
  }
  return { name, sample }
}

/** The guest as an image for `wasi/wasm`. */
export async function guestImage(workbench: Workbench, guest: GuestName): Promise<string> {
  await requireWall(await workbench.engine(), 'wasm')
  return workbench.once(`image of ${guest}`, async () => {
    const { modulePath } = await compileGuest(workbench, guest)
    await (await workbench.engine()).images.import(modulePath, { reference: `bench-${guest}` })
    return `bench-${guest}`
  })
}
