/** Modules written as text, for what no compiler would make. */
import binaryen from 'binaryen'

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
