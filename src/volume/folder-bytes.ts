import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes of the files below a folder, as far as this user may look; for people, who want to know what was freed. No link is followed. */
export function folderBytes(path: string): number {
  let bytes = 0
  const pending = [path]
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop())
    for (const name of namesIn(folder)) {
      const inside = join(folder, name)
      const stat = lstatSync(inside, { throwIfNoEntry: false })
      if (stat?.isDirectory()) pending.push(inside)
      else if (stat?.isFile()) bytes += stat.size
    }
  return bytes
}

function namesIn(folder: string): readonly string[] {
  try {
    return lstatSync(folder).isDirectory() ? readdirSync(folder) : []
  } catch {
    return []
  }
}
