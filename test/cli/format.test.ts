import * as assert from 'uvu/assert'
import { containerForm, type ListedContainer, statusOf } from '../../src/cli/container-form.js'
import { hasLabels, parseFilters } from '../../src/cli/filter.js'
import { type ListForm, listText } from '../../src/cli/format.js'
import { templateData } from '../../src/cli/inspect-template.js'
import { timestamp } from '../../src/cli/output.js'
import type { ContainerSummary } from '../../src/container/container.js'
import { EngineError } from '../../src/errors.js'
import { suite } from '../support/suite.js'

const test = suite('cli/format')

interface Fruit {
  readonly name: string
  readonly weight: number
}

const FRUITS: readonly Fruit[] = [
  { name: 'apple', weight: 180 },
  { name: 'watermelon', weight: 9000 },
]

const FORM: ListForm<Fruit> = {
  typeName: '*formatter.fruitContext',
  columns: ['Name', 'Weight'],
  quiet: 'Name',
  fields: {
    Weight: { heading: 'WEIGHT', value: ({ weight }) => `${weight}g` },
    Name: { heading: 'FRUIT NAME', value: ({ name }) => name },
  },
  methods: { Label: ({ name }, label) => `${label} of ${name}` },
}

const text = (format: string | undefined, fruits = FRUITS, quiet = false) => listText(FORM, fruits, { format, quiet })

test('without a format, with an empty one and with `table` there is the table', async () => {
  const expected = 'FRUIT NAME   WEIGHT\napple        180g\nwatermelon   9000g\n'
  for (const format of [undefined, '', 'table', ' table ']) assert.is(await text(format), expected, String(format))
})

test('a template is a line for each, and none for none', async () => {
  assert.is(await text('{{.Name}}: {{.Weight}}'), 'apple: 180g\nwatermelon: 9000g\n')
  assert.is(await text('{{.Name}}', []), '')
  assert.is(await text('  {{.Name}}  '), 'apple\nwatermelon\n', 'docker trims it')
})

test('`table` and a template have headings, in columns at each tab', async () => {
  const expected = 'WEIGHT    FRUIT NAME\n180g      apple\n9000g     watermelon\n'
  assert.is(await text('table {{.Weight}}\t{{.Name}}'), expected)
  assert.is(await text('table {{.Weight}}\\t{{.Name}}'), expected, 'as a shell leaves it')
  assert.is(await text('table {{.Name}}', []), 'FRUIT NAME\n')
})

test('headings stay as they are under functions', async () => {
  assert.is(await text('table {{lower .Name}}\t{{json .Weight}}'), 'FRUIT NAME   WEIGHT\napple        "180g"\nwatermelon   "9000g"\n')
})

test('a method has the last part of its argument as heading', async () => {
  assert.is(await text('table {{.Label "com.example.ripe-on"}}', FRUITS.slice(0, 1)), 'ripe on\ncom.example.ripe-on of apple\n')
  assert.is(await text('{{.Label "x"}}', FRUITS.slice(0, 1)), 'x of apple\n')
})

test('`json` is an object a line with all fields in order', async () => {
  const expected = '{"Name":"apple","Weight":"180g"}\n{"Name":"watermelon","Weight":"9000g"}\n'
  assert.is(await text('json'), expected)
  assert.is(await text('{{json .}}'), expected)
})

test('--quiet shows the one field; a template wins over it', async () => {
  assert.is(await text(undefined, FRUITS, true), 'apple\nwatermelon\n')
  assert.is(await text('table', FRUITS, true), 'apple\nwatermelon\n')
  assert.is(await text('{{.Weight}}', FRUITS, true), '180g\n9000g\n')
})

test('a field that is not there is an error that names the row', async () => {
  for (const format of ['{{.Nosuch}}', 'table {{.Nosuch}}'])
    await text(format).then(
      () => assert.unreachable(),
      (error: EngineError) => assert.match(error.message, /can't evaluate field Nosuch in type \*formatter\.fruitContext$/),
    )
})

test('no value steers the terminal, and JSON has it whole', async () => {
  const fruits = [{ name: 'a\u001b[2J\nb', weight: 1 }]
  assert.is(await text('{{.Name}}', fruits), 'a\\x1b[2J\\x0ab\n')
  assert.is(await text('{{.Label "\\u001b"}}', fruits), '\\x1b of a\\x1b[2J\\x0ab\n')
  assert.is(await text('table {{.Name}}', fruits), 'FRUIT NAME\na\\x1b[2J\\x0ab\n')
  assert.is(await text('json', fruits), '{"Name":"a\\u001b[2J\\nb","Weight":"1g"}\n')
})

const SUMMARY: ContainerSummary = {
  id: '0123456789abcdef'.repeat(4),
  name: 'web',
  image: null,
  runtime: 'native',
  command: ['sh', '-c', 'while true; do sleep 1; done'],
  status: 'exited',
  createdAt: new Date(Date.now() - 3_600_000),
  startedAt: new Date(0),
  finishedAt: new Date(120_000),
  exit: { exitCode: 3, reason: 'exited', detail: '', durationMs: 1 },
  labels: { 'com.example/tier': 'front', a: 'b' },
  pid: null,
  autoRemove: false,
  restartCount: 0,
  health: null,
}

test('a container has all the placeholders of docker ps', async () => {
  const item: ListedContainer = { summary: SUMMARY, image: 'busybox', spec: null, size: { writtenBytes: 12_345, imageBytes: 34_000_000 } }
  const shown = (format: string, whole = false) => listText(containerForm({ whole }), [item], { format })
  assert.is(
    await shown('{{.ID}} {{.Image}} {{.Command}} {{.RunningFor}} {{.State}} {{.Names}}'),
    '0123456789ab busybox "sh -c while true; d…" About an hour ago exited web\n',
  )
  assert.is(await shown('{{.ID}} {{.Command}}', true), `${SUMMARY.id} "sh -c while true; do sleep 1; done"\n`)
  assert.is(await shown('{{.Labels}} {{.Label "a"}}{{.Label "nosuch"}}'), 'a=b,com.example/tier=front b\n')
  assert.is(await shown('[{{.Ports}}] [{{.Mounts}}] {{.LocalVolumes}} [{{.Networks}}]'), '[] [] 0 []\n')
  assert.match(await shown('{{.CreatedAt}}'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \S+\n$/)
  const names = Object.keys(JSON.parse(await shown('json'))).join(' ')
  assert.is(names, 'Command CreatedAt ID Image Labels LocalVolumes Mounts Names Networks Ports RunningFor Size State Status')
  assert.is(await shown('{{.Size}}'), '12.3kB (virtual 34MB)\n')
})

test('where a container stands is worded as docker words it', () => {
  const at = (status: ContainerSummary['status'], rest: Partial<ContainerSummary> = {}) =>
    statusOf({ ...SUMMARY, status, ...rest }, 240_000)
  assert.equal(
    [at('created'), at('running'), at('exited'), at('exited', { finishedAt: null, exit: null }), at('dead')],
    ['Created', 'Up 4 minutes', 'Exited (3) 2 minutes ago', 'Exited (0)', 'Dead'],
  )
})

test('filters are read by name, each with all its values', () => {
  const known = { name: null, label: null, health: 'Not yet.' }
  const read = (...words: string[]) => Object.fromEntries(parseFilters(words, known))
  assert.equal(read('name=a', 'NAME = b', 'label=x=y', ''), { name: ['a', 'b'], label: ['x=y'] })
  assert.equal(parseFilters(undefined, known).size, 0)
  for (const [word, code] of [
    ['nosuch=1', 'INVALID_ARGUMENT'],
    ['__proto__=1', 'INVALID_ARGUMENT'],
    ['health=x', 'NOT_BUILT'],
  ] as const)
    assert.throws(
      () => read(word),
      (error: unknown) => error instanceof EngineError && error.code === code,
      word,
    )
})

test('a filter without = is a mistake in the words of the command line', () => {
  assert.throws(() => parseFilters(['name'], { name: null, label: null }), /bad format of filter \(expected name=value\)/)
})

test('labels are wanted by name or with their value, all of them', () => {
  const labels = { a: '1', b: '' }
  for (const wanted of [['a'], ['a=1'], ['a', 'b='], []]) assert.ok(hasLabels(labels, wanted), wanted.join(' '))
  for (const wanted of [['c'], ['a=2'], ['a', 'c'], ['toString']]) assert.not(hasLabels(labels, wanted), wanted.join(' '))
})

test('labels and ports of an inspected thing are maps, everything else has its fields', () => {
  const data = templateData({ Config: { Labels: { a: 'b' } }, Absent: undefined })
  assert.equal(data, { Config: { Labels: new Map([['a', 'b']]) } })
})

test('times are printed as Go prints them', () => {
  assert.match(timestamp(new Date('2024-05-07T08:03:09Z')), /^2024-05-0[678] \d\d:\d3:09 [+-]\d{4} ([A-Z]+|[+-]\d{4})$/)
})

test.run()
