/** A dynamic program of this host's with all that it takes to run elsewhere. */
import { execFileSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import type { PackEntry } from '../../src/layer/pack.js'
import { nodeFiles } from '../../src/wasm/node-files.js'
import { packEntry, packFile } from './stored-layers.js'

/** What the loader of a dynamic program maps, at the paths where it looks. The program itself does not run. */
export function librariesOf(program: string): readonly string[] {
  // Node's own loader: one that is setuid would not say it by itself.
  const loader = nodeFiles().interpreter?.path
  if (loader === undefined) throw new Error('this Node has no loader')
  const output = execFileSync(loader, ['--list', program], { encoding: 'utf8' })
  return [...output.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path)
}

/** The folders above these paths, a parent before its children, as paths without a slash in front. */
export function foldersOf(paths: readonly string[]): readonly string[] {
  const parents = paths.flatMap((path) => {
    const parts = path.slice(1).split('/').slice(0, -1)
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
  })
  return [...new Set(parents)]
}

/** A program and its libraries, where they are here, as entries of a layer. */
export function programEntries(program: string): PackEntry[] {
  const paths = [program, ...librariesOf(program)]
  return [
    ...foldersOf(paths).map((path) => packEntry(path, { type: 'directory' })),
    ...paths.map((path) => packFile(path.slice(1), readFileSync(realpathSync(path)), { mode: 0o755 })),
  ]
}
