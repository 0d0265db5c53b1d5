/** How a program of the package takes up what V8 has made of it before (`scripts/build.mjs`). */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { suite } from './support/suite.js'

const test = suite('programs')
const run = promisify(execFile)

test('a program that has been read has given back the bytes of its code cache', async () => {
  const source = `
    const vm = require('node:vm')
    let given
    vm.Script = class extends vm.Script {
      constructor(text, options) {
        super(text, options)
        given = { cache: options.cachedData, bytes: options.cachedData?.byteLength }
      }
    }
    process.on('exit', () => console.error(JSON.stringify([given.bytes, given.cache.byteLength])))
    process.argv = [process.execPath, 'cli.cjs', '--version']
    require('./dist/cli.cjs')`
  const { stderr } = await run(process.execPath, ['-e', source])
  assert.equal(JSON.parse(stderr), [statSync('dist/cli.cache').size, 0])
})

test('an empty or strange code cache costs time and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-programs-'))
  try {
    mkdirSync(join(folder, 'dist'))
    for (const name of ['package.json', 'dist/cli.cjs', 'dist/cli.bundle.js']) copyFileSync(name, join(folder, name))
    for (const bytes of ['', 'no cache of V8’s']) {
      writeFileSync(join(folder, 'dist/cli.cache'), bytes)
      const { stdout } = await run(process.execPath, [join(folder, 'dist/cli.cjs'), '--version'])
      assert.match(stdout, /\d+\.\d+\.\d+/)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
