import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { withPlugin } from '../support/plugins.js'
import { program, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('plugin/primes')

test.needs(
  WASM,
  program('clang'),
  program('wasm-ld'),
)('the guest in C answers from what its initialisation has made, once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-primes-'))
  try {
    const path = join(folder, 'primes.wasm')
    await promisify(execFile)('clang', ['--target=wasm32', '-O2', '-nostdlib', '-Wl,--no-entry', '-o', path, 'wasm/primes/plugin.c'])
    const places = [1, 2, 100, 78_498, 78_499, 0].map((place) => [place])
    await withPlugin({ path, snapshot: { init: 'prepare' } }, async (plugin) => {
      assert.equal(await plugin.batch('prime', places), [2, 3, 541, 999_983, 0, 0])
    })
    await withPlugin({ path }, async (plugin) => assert.equal(await plugin.batch('prime', places), [0, 0, 0, 0, 0, 0]))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
