import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { MODES } from '../../bench/matrix/matrix.js'
import { Workbench } from '../../bench/workbench.js'
import { suite } from '../support/suite.js'

const test = suite('bench/in-process')

test('our preview1 runs a guest in this process: its stdio, the folder that is its /data, its exit code', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-in-process-'))
  try {
    writeFileSync(join(folder, 'file'), 'of the host\n')
    const words = 'cat /data/file , write /data/new mine , echo , exit 7'.split(' ')
    const { stdout, status, stderr } = spawnSync(
      process.execPath,
      ['--', 'dist/in-process.cjs', 'dist/wasm/probe.wasm', folder, ...words],
      { encoding: 'utf8', input: 'heard' },
    )
    assert.is(stderr, '')
    assert.match(stdout, /of the host[\s\S]*heard/)
    assert.is(status, 7)
    assert.is(readFileSync(join(folder, 'new'), 'utf8'), 'mine')
    const trapped = spawnSync(process.execPath, ['--', 'dist/in-process.cjs', 'dist/wasm/probe.wasm', folder, 'trap'], { encoding: 'utf8' })
    assert.is(trapped.status, 134)
    assert.match(trapped.stderr, /unreachable/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('it is a row of the matrix, whose start is one of Node', async () => {
  await using workbench = await Workbench.open({ quick: true })
  const place = await MODES.find(({ name }) => name === 'in-process')?.place(workbench)
  const [program, ...words] = (await place?.command(['hello'])) ?? []
  assert.is(program, process.execPath)
  assert.ok(words.some((word) => word.endsWith('dist/in-process.cjs')))
})

test.run()
