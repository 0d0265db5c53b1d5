import * as assert from 'uvu/assert'
import { COMMANDS } from '../../src/cli/command.js'
import { groupPage, helpPage, SECTIONS } from '../../src/cli/help.js'
import { NOT_BUILT_COMMANDS } from '../../src/cli/not-built.js'
import { suite } from '../support/suite.js'

const test = suite('cli/help')

test('every command that is built stands on the page once, and none that is hidden', () => {
  const page = helpPage()
  for (const [name, entry] of Object.entries(COMMANDS)) {
    const isHidden = 'isHidden' in entry && entry.isHidden === true
    assert.is(
      page.split('\n').filter((line) => line.startsWith(`  ${name} `) && line.includes(entry.summary)).length,
      isHidden ? 0 : 1,
      name,
    )
  }
})

test('a section names only commands that there are, and each but once', () => {
  const named = SECTIONS.flatMap(([, names]) => names)
  assert.is(new Set(named).size, named.length)
  assert.equal(
    named.filter((name) => !Object.hasOwn(COMMANDS, name)),
    [],
  )
})

test('what is built is not listed as not built', () => {
  assert.equal(
    Object.keys(NOT_BUILT_COMMANDS).filter((name) => Object.hasOwn(COMMANDS, name)),
    [],
  )
})

test('a line is no wider than a terminal may be', () => {
  for (const line of helpPage().split('\n')) assert.ok(line.length <= 100, line)
})

test('a group has a page with each of its commands', () => {
  for (const [name, entry] of Object.entries(COMMANDS)) {
    if (!('commands' in entry)) continue
    const page = groupPage(name, entry)
    for (const [word, { summary }] of Object.entries(entry.commands))
      assert.ok(page.includes(`  ${word}`) && page.includes(summary), `${name} ${word}`)
  }
})

test.run()
