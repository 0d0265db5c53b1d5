/** Modules written as text, for what no compiler would make. */
import binaryen from 'binaryen'

/** The same, made ready by Binaryen's Asyncify to be unwound where it reads a descriptor. */
export function asyncified(text: string): Uint8Array {
  const module = binaryen.parseText(text)
  try {
    binaryen.setPassArgument('asyncify-imports', 'wasi_snapshot_preview1.fd_read')
    module.runPasses(['asyncify'])
    return module.emitBinary()
  } finally {
    binaryen.clearPassArguments()
    module.dispose()
  }
}

/** The binary of a module in the text format, not optimised and not judged. `features` are binaryen's, which writes some sections only where it is told of them. */
export function wat(text: string, features?: number): Uint8Array {
  const module = binaryen.parseText(text)
  try {
    if (features !== undefined) module.setFeatures(features)
    return module.emitBinary()
  } finally {
    module.dispose()
  }
}
