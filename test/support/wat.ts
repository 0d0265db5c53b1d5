/** Modules written as text, for what no compiler would make. */
import binaryen from 'binaryen'

/** The binary of a module in the text format, not optimised and not judged. */
export function wat(text: string): Uint8Array {
  const module = binaryen.parseText(text)
  try {
    return module.emitBinary()
  } finally {
    module.dispose()
  }
}
