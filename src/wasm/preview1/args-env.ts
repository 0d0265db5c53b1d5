import { toBytes } from '../../fs/names.js'
import type { Context } from './context.js'

/** `args_*` and `environ_*`: two lists of NUL-terminated strings, copied into the guest. */
export function argsEnvFunctions({ memory, host }: Context) {
  const sizes = (list: readonly string[], countPointer: number, bytesPointer: number): void => {
    memory().setU32(countPointer, list.length)
    memory().setU32(
      bytesPointer,
      list.reduce((sum, text) => sum + text.length + 1, 0),
    )
  }
  const copy = (list: readonly string[], pointers: number, buffer: number): void => {
    let at = buffer >>> 0
    for (const [index, text] of list.entries()) {
      memory().setU32((pointers >>> 0) + index * 4, at)
      memory().write(at, toBytes(`${text}\0`))
      at += text.length + 1
    }
  }
  return {
    args_sizes_get: (count: number, bytes: number): void => sizes(host.args, count, bytes),
    args_get: (argv: number, buffer: number): void => copy(host.args, argv, buffer),
    environ_sizes_get: (count: number, bytes: number): void => sizes(host.env, count, bytes),
    environ_get: (environ: number, buffer: number): void => copy(host.env, environ, buffer),
  }
}
