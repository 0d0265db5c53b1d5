import { EngineError } from '../errors.js'
import type { ByteString } from '../fs/file-system.js'

/**
 * The place that a name of an archive means below where it is unpacked: `./a//b/` and `/a/b` are `a/b`, the place itself is empty. Throws UNSAFE_PATH for a name that
 * leaves it by `..`.
 */
export function archivePath(name: ByteString): ByteString {
  const parts: ByteString[] = []
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined)
      throw new EngineError('UNSAFE_PATH', `an entry of the archive leaves the place where it is unpacked: ${JSON.stringify(name)}`, {
        data: { entry: name },
      })
  }
  return parts.join('/')
}

/** Path of the directory that holds what is at a path; the empty path is the root's, and its own. */
export function parentPath(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
