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

/** Those of runtimes, copies, volumes, builds, registries, terminals, kernels and Wasm engines that wolffia must not repeat. */
const PAST_HOLES = [
  '2019-5736 2019-16884 2019-19921 2021-30465 2022-24769 2024-21626 2025-31133 2025-52565 2025-52881 2018-15664 2019-14271',
  '2023-0778 2020-1726 2024-1753 2024-9407 2024-9675 2024-9676 2024-23651 2024-23652 2024-23653 2021-41190 2024-3727',
  '2017-5226 2020-5291 2022-0185 2022-0492 2023-2640 2024-1086 2026-31431 2023-51661 2024-38358 2023-26489',
]
  .join(' ')
  .split(' ')
  .map((number) => `CVE-${number}`)

test('each past hole has a row, and the test of that row names it', () => {
  for (const cve of PAST_HOLES) {
    const naming = rows.filter(({ attack, words }) => attack.includes(cve) && words.some((part) => part.includes(cve)))
    assert.ok(naming.length > 0, cve)
  }
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
