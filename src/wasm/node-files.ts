import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { readDynamicInfo } from './elf.js'

/** Node and what it is linked with, as files of this host, by the names they need in a bare root. */
export interface NodeFiles {
  readonly node: string
  /** Path that the kernel looks for in the bare root; null when Node is linked statically. */
  readonly interpreter: { readonly path: string; readonly source: string } | null
  /** Libraries by the names they are needed by. */
  readonly libraries: readonly { readonly name: string; readonly source: string }[]
}

let files: NodeFiles | undefined

/**
 * Finds Node's files by what is mapped into this very process: it runs, so these are the right ones, wherever the distribution
 * keeps them. Only what Node needs is taken; addons and preloaded libraries are mapped too.
 */
export function nodeFiles(): NodeFiles {
  files ??= findNodeFiles()
  return files
}

function findNodeFiles(): NodeFiles {
  const node = process.execPath
  const info = readDynamicInfo(node)
  const mapped = mappedLibraries()
  const needed = new Set(info?.needed ?? [])
  for (const name of needed) for (const further of mapped.get(name)?.needed ?? []) needed.add(further)
  const interpreter = info?.interpreter ?? null
  return {
    node,
    interpreter: interpreter === null ? null : { path: interpreter, source: mapped.get(basename(interpreter))?.source ?? interpreter },
    libraries: [...needed].flatMap((name) => {
      const library = mapped.get(name)
      return library === undefined ? [] : [{ name, source: library.source }]
    }),
  }
}

function mappedLibraries(): Map<string, { readonly source: string; readonly needed: readonly string[] }> {
  const paths = new Set(readFileSync('/proc/self/maps', 'utf8').match(/\/\S*\.so[.\d]*$/gm))
  const libraries = new Map<string, { source: string; needed: readonly string[] }>()
  for (const source of paths) {
    const info = readDynamicInfo(source)
    if (info !== null) libraries.set(info.soname ?? basename(source), { source, needed: info.needed })
  }
  return libraries
}
