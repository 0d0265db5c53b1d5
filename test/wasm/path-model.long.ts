/** The same as `path-model.security.test.ts`, for as long as it is let. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileGuest } from '../support/compile-guest.js'
import { walkAtRandom } from '../support/path-model.js'
import { CC } from '../support/requirements.js'
import { SOAK, soak } from '../support/soak.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/path-model soak')

test.needs(CC)(
  'a path leads where the kernel leads it',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wolffia-kernel-'))
    try {
      const kernel = join(folder, 'resolve-in-root')
      await compileGuest('resolve-in-root', kernel)
      await soak((random) => walkAtRandom(random, kernel, 1000))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  SOAK,
)

test.run()
