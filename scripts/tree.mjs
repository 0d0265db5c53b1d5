// What every script knows of the package's files: where they are, and whether they have changed since the last build.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** Where the build puts what it makes. */
export const dist = join(root, 'dist')

/** Every file below `folder` that `accept` takes, as paths relative to the package. */
export function filesBelow(folder, accept = () => true) {
  const absolute = join(root, folder)
  if (!existsSync(absolute)) return []
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && accept(entry.name))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort()
}

/** Runs `action` unless the contents of `inputs` are those of the last time. */
export async function whenChanged(name, inputs, outputs, action) {
  const hash = createHash('sha256').update(process.version)
  for (const input of inputs)
    hash
      .update(input)
      .update('\0')
      .update(readFileSync(join(root, input)))
  const digest = hash.digest('hex')
  const stamp = join(dist, '.stamps', name)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest && outputs.every((output) => existsSync(join(root, output)))) return
  await action()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, digest)
}
