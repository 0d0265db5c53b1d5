/** Lists through templates: see `format.ts`. */
import type { ListForm } from './format.js'
import { parseTemplate } from './go-template.js'
import { HEADING_FUNCTIONS } from './go-template-functions.js'
import { runTemplate } from './go-template-run.js'
import { TYPE_NAME } from './go-template-value.js'
import { printable, table } from './output.js'

/** A list as `json`, `table TEMPLATE` or TEMPLATE make it: a line, or what the template makes of it, for each item. */
export function templateRows<Item>(form: ListForm<Item>, items: readonly Item[], format: string): string {
  const isTable = format.startsWith('table')
  // A shell leaves \t as it is typed.
  const written = (isTable ? format.slice('table'.length) : format === 'json' ? '{{json .}}' : format).trim()
  const template = parseTemplate(written.replaceAll('\\t', '\t').replaceAll('\\n', '\n'))
  const rows = items.map((item) => runTemplate(template, new Row(form, item)))
  if (!isTable) return rows.map((row) => `${row}\n`).join('')
  const headings = runTemplate(template, new Headings(form), { functions: HEADING_FUNCTIONS })
  const [first = [], ...rest] = [headings, ...rows].flatMap((row) => row.split('\n')).map((line) => line.split('\t'))
  return table(first, rest)
}

/** One item to a template. */
class Row<Item> {
  readonly #form: ListForm<Item>
  readonly #item: Item

  constructor(form: ListForm<Item>, item: Item) {
    this.#form = form
    this.#item = item
    for (const [name, { value }] of Object.entries(form.fields))
      Object.defineProperty(this, name, { enumerable: true, get: () => printable(value(item)) })
    for (const [name, method] of Object.entries(form.methods ?? {}))
      Object.defineProperty(this, name, { value: (argument: string) => printable(method(item, argument)) })
  }

  get [TYPE_NAME](): string {
    return this.#form.typeName
  }

  /** All fields in the order of their names, and as they are: JSON has its own way with control characters. */
  toJSON(): object {
    const fields = Object.entries(this.#form.fields).filter(([, { isNotBuilt }]) => isNotBuilt !== true)
    const values = fields.map(([name, { value }]): [string, string] => [name, value(this.#item)])
    return Object.fromEntries(values.sort(([left], [right]) => (left < right ? -1 : 1)))
  }
}

/** What stands above each placeholder. */
class Headings {
  readonly #typeName: string

  constructor({ fields, methods, typeName }: ListForm<never>) {
    this.#typeName = typeName
    for (const [name, { heading }] of Object.entries(fields)) Object.defineProperty(this, name, { enumerable: true, value: heading })
    for (const name of Object.keys(methods ?? {}))
      Object.defineProperty(this, name, { value: (argument: string) => argument.replace(/^.*\./s, '').replace(/[-_]/g, ' ') })
  }

  get [TYPE_NAME](): string {
    return this.#typeName
  }
}
