import { join } from 'node:path'
import type { CreateOptions } from '../container/options.js'
import { EngineError } from '../errors.js'
import { hostPlatform, namedPlatform, type PlatformWish } from '../image/platform-select.js'
import { WASI_PLATFORM } from '../oci/platform.js'
import type { Runtime } from '../runtime/runtime.js'
import { storeHolder } from './store-id-map.js'

/** The walls, each loaded when it is first needed: most commands need none. */
export class Walls {
  readonly #load: () => Promise<readonly Runtime[]>
  #loaded: Promise<readonly Runtime[]> | null = null

  constructor(load: () => Promise<readonly Runtime[]>) {
    this.#load = load
  }

  /** All of them, in the order `auto` tries them. */
  all(): Promise<readonly Runtime[]> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }

  /** The wall a container stands behind. */
  async named(name: string): Promise<Runtime> {
    const runtime = (await this.all()).find((candidate) => candidate.name === name)
    if (runtime === undefined)
      throw new EngineError('RUNTIME_UNAVAILABLE', `this wolffia has no wall named ${name}`, { data: { runtime: name } })
    return runtime
  }

  /** Which of an image's platforms the options mean: the named one, else what the wall asked for runs, else what a wall here can run. */
  async wish({ platform, runtime = 'auto' }: Pick<CreateOptions, 'platform' | 'runtime'>): Promise<PlatformWish> {
    if (platform !== undefined) return { platform: namedPlatform(platform) }
    if (runtime === 'wasm') return { preferred: [WASI_PLATFORM] }
    if (runtime === 'native') return { preferred: [hostPlatform()] }
    const native = (await this.all()).find((candidate) => candidate.name === 'native')
    return { preferred: native === undefined || (await native.unavailable()) !== null ? [WASI_PLATFORM] : [hostPlatform()] }
  }
}

/** wolffia's own walls, in the order `auto` tries them. */
export async function ownRuntimes(home: string): Promise<readonly Runtime[]> {
  const [{ NativeRuntime }, { WasmRuntime }, holder] = await Promise.all([
    import('../native/native-runtime.js'),
    import('../wasm/wasm-runtime.js'),
    storeHolder(home),
  ])
  return [new NativeRuntime({ treesDirectory: join(home, 'trees'), holder }), new WasmRuntime()]
}
