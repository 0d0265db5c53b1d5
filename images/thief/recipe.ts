import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hostPlatform } from '../../src/image/platform-select.js'
import { assetPath } from '../../src/launcher/installation.js'
import { bytesSource } from '../../src/layer/source.js'
import type { ContainerConfig } from '../../src/oci/image-spec.js'
import { WASI_PLATFORM } from '../../src/oci/platform.js'
import type { Recipe, RecipePart } from '../recipe.js'
import { compileThief, thiefSources } from './compile.js'

/** What `run thief` does when nobody says otherwise: everything, to decoys that are not there. */
const COMMAND = [
  'home=/root',
  'outside=/root/.bashrc',
  'scratch=/scratch',
  'secret=DEPLOY_TOKEN',
  'port=22',
  'forks=64',
  'memory=64',
  'disk=32',
]

/** The thief for this machine's Linux and for WASI, as its README and Dockerfile say. */
export const thief: Recipe = {
  name: 'thief',
  async prepare(directory) {
    const parts: RecipePart[] = []
    const missing: string[] = []
    const program = join(directory, 'thief')
    const reason = await compileThief(program)
    if (reason === null) parts.push(await part(hostPlatform(), '/thief', program))
    else missing.push(reason)
    const module = assetPath('wasm/thief.wasm')
    if (existsSync(module)) parts.push(await part(WASI_PLATFORM, '/thief.wasm', module))
    else missing.push(`${module} is not built: run npm run build`)
    return { fingerprint: await fingerprintOf(module, parts), parts, missing }
  },
}

async function part(platform: RecipePart['platform'], path: string, source: string): Promise<RecipePart> {
  const bytes = await readFile(source)
  const config: ContainerConfig = {
    Entrypoint: [path],
    Cmd: COMMAND,
    WorkingDir: '/',
    Labels: { 'org.opencontainers.image.description': 'Tries what a hostile program would try, harmlessly, and reports what it got' },
  }
  return { platform, files: [{ path, mode: 0o755, contents: () => bytesSource(bytes) }], config }
}

// Sources and not the compiled program: the compiler decides its bytes.
async function fingerprintOf(module: string, parts: readonly RecipePart[]): Promise<string> {
  const hash = createHash('sha256').update(String(parts.length))
  const sources = (await readdir(thiefSources())).sort().map((name) => join(thiefSources(), name))
  for (const path of [...sources, module]) if (existsSync(path)) hash.update(await readFile(path))
  return hash.digest('hex')
}
