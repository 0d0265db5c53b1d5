import type { Engine } from '../engine/engine.js'
import type { ImageSummary } from '../engine/image-summary.js'
import { EngineError } from '../errors.js'
import type { PluginLimits, PluginSnapshot } from './options.js'
import { Plugin } from './plugin.js'
import { openSource } from './source.js'

/** Whose program is initialised, and what the image is called that begins there. */
export interface SnapshotImageOptions extends Pick<PluginSnapshot, 'init' | 'timeoutMs'> {
  readonly image: string
  readonly reference: string
  /** Comment in the image's history. */
  readonly message?: string
  readonly limits?: PluginLimits
  /** Variables that it is initialised with; those of its image's config come before them. */
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/**
 * Initialises an image's module and makes an image of it that begins where that has led: one more layer, with the module in the place of the one
 * before. Its files stay as they are. Rejects as {@link Plugin.load} does, and with WRONG_RUNTIME for a native program.
 */
export async function snapshotImage(engine: Engine, options: SnapshotImageOptions): Promise<ImageSummary> {
  const { image, reference, init, timeoutMs, limits = {}, env = {}, signal, message = `initialised by ${init ?? '_initialize'}` } = options
  const snapshot = { ...(init === undefined ? {} : { init }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  const stopped = signal === undefined ? {} : { signal }
  const source = await openSource({ image, engine, limits, env, ...stopped })
  if (source.kind === 'native' || source.path === null)
    throw new EngineError(
      'WRONG_RUNTIME',
      `the program of ${image} is native: only a WebAssembly module can begin anywhere but at its start`,
    )
  const module = await moduleOf()
  const container = await engine.containers.define({ image, runtime: 'wasm' })
  try {
    {
      await using fs = await container.fs({ writable: true })
      await fs.promises.writeFile(source.path, module)
    }
    return await engine.images.commit(container, { reference, message, ...stopped })
  } finally {
    await container.remove()
  }

  async function moduleOf(): Promise<Uint8Array> {
    await using plugin = await Plugin.load({ image, engine, limits, env, snapshot, ...stopped })
    return await plugin.snapshotModule(stopped)
  }
}
