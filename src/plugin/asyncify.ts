import { EngineError } from '../errors.js'
import { type ModuleFunctions, signatureText } from './signatures.js'

/** What Binaryen's pass Asyncify exports (its src/passes/Asyncify.cpp tells the protocol). */
export const ASYNCIFY = {
  startUnwind: 'asyncify_start_unwind',
  stopUnwind: 'asyncify_stop_unwind',
  startRewind: 'asyncify_start_rewind',
  stopRewind: 'asyncify_stop_rewind',
} as const

const TYPES: Readonly<Record<string, string>> = {
  _start: '() -> ()',
  [ASYNCIFY.startUnwind]: '(i32) -> ()',
  [ASYNCIFY.stopUnwind]: '() -> ()',
  [ASYNCIFY.startRewind]: '(i32) -> ()',
  [ASYNCIFY.stopRewind]: '() -> ()',
}

/** Throws INVALID_ARGUMENT for a module whose program cannot be stopped where it reads its stdin. */
export function assertAsyncified({ exports, imports }: ModuleFunctions): void {
  for (const [name, type] of Object.entries(TYPES)) {
    const signature = exports.get(name)
    if (signature === undefined || signatureText(signature) !== type)
      throw new EngineError(
        'INVALID_ARGUMENT',
        `snapshot.until stdin: the module ${signature === undefined ? `exports no function ${name}` : `exports ${name} as ${signatureText(signature)}`}`,
        {
          hint:
            name === '_start'
              ? 'Only a program can be stopped where it reads; of a library give the `init` that is to be called.'
              : 'Make it ready with Binaryen: wasm-opt --asyncify --pass-arg=asyncify-imports@wasi_snapshot_preview1.fd_read IN.wasm -o OUT.wasm',
          data: { function: name },
        },
      )
  }
  if (!imports.has('wasi_snapshot_preview1.fd_read'))
    throw new EngineError('INVALID_ARGUMENT', 'snapshot.until stdin: the module imports no fd_read, so it never reads', {
      hint: 'Load it without `until`.',
    })
}
