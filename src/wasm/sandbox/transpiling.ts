import { EngineError } from '../../errors.js'
import type { Transpiled } from '../component/transpile.js'
import { errorOf, type FailureMessage } from './messages.js'
import { guestThread } from './worker-threads.js'

/** From the thread that transpiles. */
export type TranspilerMessage = ({ readonly type: 'transpiled' } & Transpiled) | { readonly type: 'failed'; readonly error: FailureMessage }

/** Transpiles a component in a thread of its own. Rejects with COMMAND_NOT_EXECUTABLE, LIMIT_EXCEEDED. */
export function transpileApart(bytes: Uint8Array): Promise<Transpiled> {
  const worker = guestThread('transpiler.cjs', bytes)
  return new Promise<Transpiled>((resolve, reject) => {
    worker.once('message', (message: TranspilerMessage) =>
      message.type === 'transpiled' ? resolve({ glue: message.glue, modules: message.modules }) : reject(errorOf(message.error)),
    )
    worker.once('error', (cause) => reject(new EngineError('LIMIT_EXCEEDED', 'the component is too large to be transpiled', { cause })))
    worker.once('exit', () => reject(new EngineError('INTERNAL', 'the transpiler ended without a word')))
  }).finally(() => worker.terminate())
}
