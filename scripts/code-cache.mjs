// What V8 makes of each program of the package, kept beside it so that a start compiles nothing: part of the build, and run by npm
// with the Node of the machine where the package is installed. Another Node finds the cache to be none of its own and compiles as ever.
import { readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
import { dist } from './tree.mjs'

const BUNDLE = /\.bundle\.js$/

/** Writes NAME.cache beside each NAME.bundle.js under dist/. */
export function writeCodeCaches() {
  for (const path of readdirSync(dist, { recursive: true }).filter((name) => BUNDLE.test(name))) {
    const filename = join(dist, path)
    setFlagsFromString('--no-lazy')
    const script = new Script(readFileSync(filename, 'latin1'), { filename })
    // Back before the cache is made: it is good only for a V8 with the flags it names.
    setFlagsFromString('--lazy')
    writeFileSync(filename.replace(BUNDLE, '.cache'), script.createCachedData())
  }
}

// A start without a cache is slower and nothing else: nothing that goes wrong here may break the installation.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  try {
    writeCodeCaches()
  } catch (error) {
    console.error(`wolffia: starts will compile each time: ${error.message}`)
  }
