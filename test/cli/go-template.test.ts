import * as assert from 'uvu/assert'
import { parseTemplate } from '../../src/cli/go-template.js'
import { runTemplate } from '../../src/cli/go-template-run.js'
import { TYPE_NAME } from '../../src/cli/go-template-value.js'
import { EngineError } from '../../src/errors.js'
import { suite } from '../support/suite.js'
import { CASES, DATA, MISTAKES } from './go-template-cases.js'

const test = suite('cli/go-template')
const filled = (template: string, data: unknown = asMaps(DATA)) => runTemplate(parseTemplate(template), data)

/** Objects as Go maps. */
function asMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asMaps)
  if (typeof value !== 'object' || value === null) return value
  return new Map(Object.entries(value).map(([key, member]) => [key, asMaps(member)]))
}

function mistakeOf(template: string, data?: unknown): string {
  try {
    const text = filled(template, data)
    return `no mistake: ${text}`
  } catch (error) {
    assert.instance(error, EngineError, String(error instanceof Error ? error.stack : error))
    return (error as EngineError).message
  }
}

for (const [about, template, result] of CASES) test(`${about}: ${JSON.stringify(template)}`, () => assert.is(filled(template), result))

for (const [about, template, message] of MISTAKES)
  test(`${about} is told in Go's words: ${JSON.stringify(template)}`, () =>
    assert.is(mistakeOf(template), `template parsing error: ${message}`))

test('what docker has as a struct names a field it does not have, and is printed by its values', () => {
  const data = { State: { Status: 'running', Pid: 1 }, Ports: new Map([['80/tcp', [{ HostIp: '::', HostPort: '80' }]]]) }
  const missing = 'template parsing error: template: :1:8: executing "" at <.State.Health>: map has no entry for key "Health"'
  assert.is(mistakeOf('{{.State.Health.Status}}', data), missing.replace('.Health>', '.Health.Status>'))
  assert.is(mistakeOf('{{.State.Health}}', data), missing)
  assert.is(filled('{{.Ports}} {{.State}}', data), 'map[80/tcp:[{:: 80}]] {running 1}')
  assert.is(filled('{{range $k, $v := .State}}{{$k}}={{$v}} {{end}}', data), 'Pid=1 Status=running ')
  assert.is(mistakeOf('{{(index .Ports "1/tcp").HostIp}}', data).replace(/.*>: /, ''), 'nil data; no entry for key "HostIp"')
})

test('a map of texts has an empty text for a key that is not there', () => {
  const data = { Labels: new Map([['a', 'b']]) }
  assert.is(filled('[{{index .Labels "nosuch"}}] {{.Labels.nosuch}} {{.Labels.nosuch.deeper}}', data), '[] <no value> <no value>')
})

test('methods of a row take their arguments, also from a pipe', () => {
  const row = { [TYPE_NAME]: '*formatter.ContainerContext', ID: 'abc', Label: (name: string) => `label ${name}` }
  assert.is(filled('{{.ID}} {{.Label "x"}} {{"y" | .Label}} {{upper (.Label "z")}}', row), 'abc label x label y LABEL Z')
  const at = (place: string) => `template parsing error: template: :1:2: executing "" at <${place}>: `
  assert.is(mistakeOf('{{.Nosuch}}', row), `${at('.Nosuch')}can't evaluate field Nosuch in type *formatter.ContainerContext`)
  assert.is(mistakeOf('{{.Label}}', row), `${at('.Label')}wrong number of args for Label: want 1 got 0`)
  assert.is(mistakeOf('{{.ID "x"}}', row), `${at('.ID')}ID has arguments but cannot be invoked as function`)
  assert.match(mistakeOf('{{.Label 1}}', row), /expected string; found 1$/)
  assert.match(mistakeOf('{{.constructor}}', row), /can't evaluate field constructor/)
})

test('nothing of JavaScript is to be had', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'length', 'hasOwnProperty'])
    for (const template of [
      `{{.${name}}}`,
      `{{.State.${name}}}`,
      `{{.Name.${name}}}`,
      `{{.Config.Env.${name}}}`,
      `{{index .State "${name}"}}`,
    ])
      assert.match(mistakeOf(template, DATA), /map has no entry|can't evaluate field|^no mistake: <no value>$/, template)
  assert.match(mistakeOf('{{constructor}}'), /function "constructor" not defined/)
})

test('what Go has learned since: a range over a number, else with', () => {
  assert.is(filled('{{range 3}}{{.}}{{end}} {{range $i, $x := 2}}{{$i}}{{end}}'), '012 01')
  assert.is(filled('{{range 1_000_000_000_000}}{{.}}{{if eq . 2}}{{break}}{{end}}{{end}}{{range 0}}x{{else}}none{{end}}'), '012none')
  assert.is(filled('{{with .Nosuch}}a{{else with .Name}}{{.}}{{else}}c{{end}}'), '/web')
})

test('a template without end ends', () => {
  assert.match(mistakeOf('{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}'), /exceeded maximum template depth/)
})

test('what is printed can be changed on its way, and the text around it is not', () => {
  const shown = (text: string) => `<${text}>`
  assert.is(runTemplate(parseTemplate('a {{.}} {{json .}}'), 'x', { shown }), 'a <x> <"x">')
})

test('json holds no character that steers a terminal', () => {
  assert.is(filled('{{json .}}', '\u001b[2J\u009b\u2028'), '"\\u001b[2J\\u009b\\u2028"')
})

test.run()
