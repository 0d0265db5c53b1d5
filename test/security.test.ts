/** SECURITY.md says which test shows what: each of them must be there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { ARCHIVE_ATTACKS } from './layer/attacks.js'
import { suite } from './support/suite.js'

const test = suite('SECURITY.md')
const document = readFileSync('SECURITY.md', 'utf8')
const rows = [...document.matchAll(/^\| (.*) \| (.*) \| `(.*)`: "(.*)" \|$/gm)]

test('each test that the table of attacks on archives names is there', () => {
  assert.ok(rows.length > 25)
  for (const [, attack, , path = '', words = ''] of rows) {
    assert.ok(existsSync(path), `${attack}: no ${path}`)
    assert.ok(readFileSync(path, 'utf8').includes(words), `${attack}: ${path} has no test "${words}"`)
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
      rows.some(([, attack]) => attack?.includes(cve)),
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
