/** Where paths lead in preview1's tree, against what the kernel says of the same tree (openat2, RESOLVE_IN_ROOT). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileGuest } from '../support/compile-guest.js'
import { walkAtRandom } from '../support/path-model.js'
import { CC } from '../support/requirements.js'
import { SEED } from '../support/seed.js'
import { randomFrom } from '../support/soak.js'
import { suite } from '../support/suite.js'

const TREES = 8
const WALKS = 400
const test = suite('wasm/path-model.security')

test.needs(CC)(
  'a path leads where the kernel leads it, in memory and in a bind mount, or fails as it does',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wolffia-kernel-'))
    try {
      const kernel = join(folder, 'resolve-in-root')
      await compileGuest('resolve-in-root', kernel)
      for (let turn = 0; turn < TREES; turn++) walkAtRandom(randomFrom(SEED + turn), kernel, WALKS)
    } catch (error) {
      throw new Error(`WOLFFIA_SEED=${SEED} fails: ${error instanceof Error ? error.message : error}`, { cause: error })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  { timeoutMs: 120_000 },
)

test.run()
