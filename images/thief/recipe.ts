import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, readdir, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { hostPlatform } from '../../src/image/platform-select.js'
import { assetPath } from '../../src/launcher/installation.js'
import { type Platform, WASI_PLATFORM } from '../../src/oci/platform.js'
import type { Recipe } from '../recipe.js'
import { compileThief, thiefSources } from './compile.js'

/** The thief for this machine's Linux and for WASI, as its README says. */
export const thief: Recipe = {
  name: 'thief',
  async prepare(directory) {
    const platforms: Platform[] = []
    const missing: string[] = []
    const program = join(directory, 'thief')
    const reason = await compileThief(program)
    if (reason === null) {
      platforms.push(hostPlatform())
      await utimes(program, 0, 0)
    } else missing.push(reason)
    const module = assetPath('wasm/thief.wasm')
    if (existsSync(module)) {
      platforms.push(WASI_PLATFORM)
      await copyFile(module, join(directory, 'thief.wasm'))
      await utimes(join(directory, 'thief.wasm'), 0, 0)
    } else missing.push(`${module} is not built: run npm run build`)
    return { fingerprint: await fingerprintOf(module, platforms), platforms, buildArgs: {}, missing }
  },
}

// Sources and not the compiled program: the compiler decides its bytes.
async function fingerprintOf(module: string, platforms: readonly Platform[]): Promise<string> {
  const hash = createHash('sha256').update(String(platforms.length))
  const sources = (await readdir(thiefSources())).sort().map((name) => join(thiefSources(), name))
  for (const path of [...sources, module]) if (existsSync(path)) hash.update(await readFile(path))
  return hash.digest('hex')
}
