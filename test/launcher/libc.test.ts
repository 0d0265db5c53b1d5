import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { CC, OBJCOPY } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/libc')
const run = promisify(execFile)

const PARTS = ['libc_text', 'libc_memory', 'libc_format', 'libc_folder', 'libc_call', 'number', 'failure']

test.needs(CC, OBJCOPY)('what stands in for the C library does what the C library does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-libc-'))
  const at = (name: string) => join(folder, name)
  try {
    const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror']
    for (const part of PARTS) await run('cc', [...flags, '-c', '-o', at(`${part}.o`), `src/launcher/${part}.c`])
    await run('ld', ['-r', '-o', at('own.o'), ...PARTS.map((part) => at(`${part}.o`))])
    await run('objcopy', ['--prefix-symbols=own_', at('own.o')])
    await run('cc', [...flags, '-O1', '-fno-builtin', '-o', at('compare'), 'test/fixtures/libc.c', at('own.o')])
    mkdirSync(at('names'))
    for (let number = 0; number < 1500; number++) writeFileSync(join(at('names'), `a-name-that-is-rather-long-${number}`), '')
    await run(at('compare'), [at('names')])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the launcher here is linked without a C library where that is known to work', () => {
  const isGlibc = (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header?.glibcVersionRuntime !== undefined
  if (!isGlibc || !['x64', 'arm64'].includes(process.arch) || process.env.WOLFFIA_LAUNCHER !== undefined || !existsSync('dist/launcher'))
    return
  assert.is(readFileSync('dist/launcher').includes('GLIBC_PRIVATE'), false)
  assert.ok(statSync('dist/launcher').size < 300_000)
})

test.run()
