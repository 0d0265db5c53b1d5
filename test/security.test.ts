/** SECURITY.md says which test shows what: each of them must be there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { ARCHIVE_ATTACKS } from './layer/attacks.js'
import { suite } from './support/suite.js'

const test = suite('SECURITY.md')
const document = readFileSync('SECURITY.md', 'utf8')
/** The rows that name tests: attack, file ("the same" is the file of the row above) and parts of the tests' titles. */
const rows: { attack: string; path: string; words: string[] }[] = []
for (const [, attack = '', file = '', words = ''] of document.matchAll(/^\| (.*) \| .* \| (`.*`|the same): (".*") \|$/gm))
  rows.push({
    attack,
    path: file === 'the same' ? (rows.at(-1)?.path ?? '') : file.slice(1, -1),
    words: words.slice(1, -1).split('", "'),
  })

test('each test that the tables of attacks name is there', () => {
  assert.ok(rows.length > 40, `${rows.length} rows`)
  for (const { attack, path, words } of rows) {
    assert.ok(existsSync(path), `${attack}: no ${path}`)
    const tests = readFileSync(path, 'utf8')
    for (const part of words) assert.ok(tests.includes(part), `${attack}: ${path} has no test "${part}"`)
  }
})

test('each CVE that is tried on archives stands in the table', () => {
  const cves = new Set(Object.keys(ARCHIVE_ATTACKS).flatMap((name) => name.match(/CVE-[0-9-]+/g) ?? []))
  for (const cve of [
    'CVE-2021-29136',
    'CVE-2021-32760',
    'CVE-2020-10696',
    'CVE-2026-23745',
    'CVE-2026-24842',
    'CVE-2026-26960',
    'CVE-2024-12905',
    'CVE-2025-48387',
  ])
    assert.ok(cves.has(cve), cve)
  for (const cve of cves)
    assert.ok(
      rows.some(({ attack }) => attack.includes(cve)),
      cve,
    )
})

test('each file and pattern of tests that is named leads to one', () => {
  for (const [, path = ''] of document.matchAll(/`(test\/[^`]+)`/g)) {
    const [folder = '', ending] = path.split('/*')
    if (ending === undefined) assert.ok(existsSync(path), path)
    else
      assert.ok(
        readdirSync(folder).some((name) => name.endsWith(ending)),
        path,
      )
  }
})

test.run()
