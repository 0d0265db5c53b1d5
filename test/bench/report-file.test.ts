import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { columns, MODES } from '../../bench/matrix/matrix.js'
import { writePictures } from '../../bench/pictures.js'
import { readReport, reportText } from '../../bench/report-file.js'
import { parseReport } from '../../bench/saved-report.js'
import { SCALING } from '../../bench/scaling.js'
import { sampleReport } from '../support/bench-report.js'
import { suite } from '../support/suite.js'

const test = suite('bench/report-file')
/** What a report may take of the repository. */
const MOST_BYTES = 500_000
const REPORT = 'bench/report.json'
const PICTURES = 'bench/pictures'
/** With KVM or without, a virtual machine is the same mode. */
const plain = (mode: string) => mode.replace(/^qemu-.*/, 'qemu')

test('a report is kept with six digits, a list of figures in a line, and read again', () => {
  const sample = sampleReport()
  const text = reportText(sample)
  assert.match(text, /"samples": \[1,1\.1,0\.9,1\],$/m)
  const short = (_name: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
  assert.equal(parseReport(text), JSON.parse(JSON.stringify(sample), short))
  const third = { ...sample, quietness: { ...sample.quietness, busy: 1 / 3 }, host: { ...sample.host, memoryBytes: 25_278_541_824 } }
  assert.match(reportText(third), /"busy": 0\.333333,/)
  assert.match(reportText(third), /"memoryBytes": 25278541824,/)
})

test('a full run of every mode, every column and all that grows stays below half a megabyte', () => {
  const sample = sampleReport()
  const samples = (rounds: number, scale: number) => Array.from({ length: rounds }, (_, round) => scale + Math.sin(round + scale) / 3)
  const figures = { value: 12.3456789, low: 11.3456789, high: 14.3456789 }
  const series = (name: string, rounds: number) => ({
    name,
    samples: samples(rounds, 10),
    failure: null,
    median: figures,
    ratio: figures,
    outliers: 3,
  })
  const workloads = [
    ...columns(false).map(({ name, summary, unit, rounds }) => ({
      name,
      summary,
      unit,
      series: MODES.map((mode) => series(mode.name, rounds)),
      growth: [],
    })),
    ...SCALING.map(({ name, summary, unit, rounds }) => ({
      name,
      summary,
      unit,
      series: Array.from({ length: 8 }, (_, at) => series(`x@${at}`, rounds)),
      growth: [{ name: 'x', axis: 'files', sizes: [1, 10, 100, 1000], exponent: figures }],
    })),
  ]
  const protection = MODES.map(({ name, setUpBy }) => ({
    mode: name,
    setUpBy,
    findings: Array.from({ length: 14 }, (_, at) => ({
      aspect: `aspect ${at}`,
      text: 'no system calls',
      holds: true,
      detail: 'x'.repeat(20 * at),
    })),
    failure: null,
  }))
  const report = { ...sample, workloads, matrix: columns(false).map(({ name }) => name), protection }
  const { length } = reportText(report)
  assert.ok(length < MOST_BYTES, String(length))
})

test('the report that is committed is no quick run, by an ordinary user on a quiet machine, of modes and columns that there are, and small enough', async () => {
  const { settings, host, quietness, matrix, protection } = await readReport(REPORT)
  assert.ok(statSync(REPORT).size < MOST_BYTES)
  assert.equal([settings.quick, quietness.quiet, host.uid === 0], [false, true, false])
  const known = columns(false).map(({ name }) => name)
  assert.equal(
    matrix.filter((name) => !known.includes(name)),
    [],
  )
  const modes = MODES.map(({ name }) => plain(name))
  assert.equal(
    protection.map(({ mode }) => plain(mode)).filter((mode) => !modes.includes(mode)),
    [],
  )
  assert.ok(matrix.length >= 10 && protection.length >= 15)
})

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

test("README's pictures follow from a report by one command, which refuses one without a matrix", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-pictures-'))
  try {
    const file = join(folder, 'run.json')
    writeFileSync(file, reportText(sampleReport()))
    const names = await writePictures(await readReport(file), join(folder, 'pictures'))
    assert.equal(names, ['cost-and-isolation.svg', 'start.svg'])
    for (const name of names)
      assert.match(readFileSync(join(folder, 'pictures', name), 'utf8'), /^<svg xmlns=[\s\S]*prefers-color-scheme[\s\S]*<\/svg>\n$/)
    const error = await writePictures({ ...sampleReport(), protection: [] }, folder).catch((reason: Error) => reason)
    assert.match(String(error), /--plots wants a report of the matrix/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
