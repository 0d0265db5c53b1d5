import { $init, generate } from '#bindgen'
import { EngineError, messageOf } from '../../errors.js'

/** What a component is transpiled to. */
export interface Transpiled {
  /** JavaScript with one exported function, `instantiate`. */
  readonly glue: string
  /** Its core modules as they came, by the names that the glue has for them. */
  readonly modules: readonly { readonly name: string; readonly bytes: Uint8Array }[]
}

const NAME = 'component'

/** Transpiles a component by jco. Throws COMMAND_NOT_EXECUTABLE for one that is not valid. */
export async function transpile(bytes: Uint8Array): Promise<Transpiled> {
  await $init
  try {
    const { files } = generate(bytes, {
      name: NAME,
      noTypescript: true,
      instantiation: { tag: 'sync' },
      importBindings: { tag: 'js' },
      noNodejsCompat: true,
      tlaCompat: false,
      base64Cutoff: 0,
      noNamespacedExports: false,
      validLiftingOptimization: false,
    })
    const glue = files.find(([name]) => name === `${NAME}.js`)?.[1]
    if (glue === undefined) throw new EngineError('INTERNAL', 'jco has made no JavaScript of a component')
    const modules = files.filter(([name]) => name.endsWith('.wasm')).map(([name, module]) => ({ name, bytes: module }))
    return { glue: new TextDecoder().decode(glue), modules }
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    const [reason = ''] = messageOf(cause).split('\n')
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `the program is not a valid WebAssembly component: ${reason}`, { cause })
  }
}
