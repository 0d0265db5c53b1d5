/** The report that is kept here, and what README.md shows of it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { columns, MODES } from '../../bench/matrix/matrix.js'
import { writePictures } from '../../bench/pictures.js'
import { readReport } from '../../bench/report-file.js'
import { suite } from '../support/suite.js'

const test = suite('bench/kept report')
const REPORT = 'bench/report.json'
const PICTURES = 'bench/pictures'
const MOST_BYTES = 500_000

test('it is of a full run by an ordinary user on a quiet machine, of modes and columns that there are, and small', async () => {
  const { settings, host, quietness, matrix, protection } = await readReport(REPORT)
  assert.ok(statSync(REPORT).size < MOST_BYTES)
  assert.equal([settings.quick, quietness.quiet, host.uid === 0], [false, true, false])
  const known = columns(false).map(({ name }) => name)
  assert.equal(
    matrix.filter((name) => !known.includes(name)),
    [],
  )
  // With KVM or without, a virtual machine is the same mode.
  const modes = MODES.map(({ name }) => plain(name))
  assert.equal(
    protection.map(({ mode }) => plain(mode)).filter((mode) => !modes.includes(mode)),
    [],
  )
  assert.ok(matrix.length >= 10 && protection.length >= 15)
})

const plain = (mode: string) => mode.replace(/^qemu-.*/, 'qemu')

test('the pictures that README.md shows are those of the report', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-pictures-'))
  try {
    const made = await writePictures(await readReport(REPORT), folder)
    assert.equal([...made].sort(), readdirSync(PICTURES).sort())
    const readme = readFileSync('README.md', 'utf8')
    for (const name of made) {
      assert.is(readFileSync(join(PICTURES, name), 'utf8'), readFileSync(join(folder, name), 'utf8'), name)
      assert.match(readme, `${PICTURES}/${name}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
