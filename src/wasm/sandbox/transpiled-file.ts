import { readFileSync } from 'node:fs'
import { TRANSPILED_HEADER_BYTES } from '../../store/transpiled-components.js'
import type { Transpiled } from '../component/transpile.js'
import { decodeTranspiled } from '../component/transpiled-bytes.js'

/** What a component was transpiled to, where the supervisor has it kept; null where that is not what is wanted. */
export function readTranspiled(path: string | null, component: string): Transpiled | null {
  if (path === null) return null
  const bytes = readFileSync(path)
  const header = JSON.parse(bytes.toString('utf8', 0, TRANSPILED_HEADER_BYTES)) as { readonly component?: unknown }
  return header.component === component ? decodeTranspiled(bytes.subarray(TRANSPILED_HEADER_BYTES)) : null
}
