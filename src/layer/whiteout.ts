import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'

/** Marks a lower name as gone: `.wh.NAME` takes NAME away (image-spec, layer.md, "Whiteouts"). */
export const WHITEOUT_PREFIX = '.wh.'
/** Marks a directory as opaque: nothing of lower layers shows through (image-spec, layer.md, "Opaque Whiteout"). */
export const OPAQUE_WHITEOUT = '.wh..wh..opq'

/** What a name in a layer means. */
export type Marker = { readonly kind: 'whiteout'; readonly name: ByteString } | { readonly kind: 'opaque' } | { readonly kind: 'ignored' }

/**
 * Reads the last component of an entry's name as a marker; null when it is an ordinary name. The entry's type does not matter, since the
 * spec names none. Names of AUFS's own (`.wh..wh.plnk`) mean nothing and are ignored. Throws UNSAFE_PATH for markers that would take away
 * `.`, `..` or the directory itself.
 */
export function parseMarker(component: ByteString): Marker | null {
  if (!component.startsWith(WHITEOUT_PREFIX)) return null
  if (component === OPAQUE_WHITEOUT) return { kind: 'opaque' }
  const name = component.slice(WHITEOUT_PREFIX.length)
  if (name === '' || name === '.' || name === '..')
    throw new EngineError('UNSAFE_PATH', `a whiteout of nothing in the layer: ${component}`, { data: { entry: component } })
  return name.startsWith(WHITEOUT_PREFIX) ? { kind: 'ignored' } : { kind: 'whiteout', name }
}

/**
 * Throws UNSAFE_PATH for a path whose last name a layer would read as a marker: a guest may make such a file, and in a layer it would take
 * another file away. `shown` is the path of the message.
 */
export function refuseMarkerName(path: ByteString, shown = path): void {
  if (!path.slice(path.lastIndexOf('/') + 1).startsWith(WHITEOUT_PREFIX)) return
  throw new EngineError('UNSAFE_PATH', `a file whose name begins with ".wh." can't be stored in a layer: ${shown}`, {
    data: { path: shown },
    hint: 'Rename or remove it.',
  })
}
