/**
 * What `--format` makes of a list, for every command that has one: `table`, `json`, `table TEMPLATE` and TEMPLATE, as docker has them.
 * The template engine is loaded only when one is given.
 */
import { printable, table } from './output.js'

/** A placeholder of docker's: `{{.ID}}`. */
export interface Field<Item> {
  /** Above its column: `CONTAINER ID`. */
  readonly heading: string
  /** May throw NOT_BUILT for what cannot be known yet; `--format json` leaves such a field out. */
  readonly value: (item: Item) => string
  readonly isNotBuilt?: boolean
}

/** How the things of a list are shown. */
export interface ListForm<Item> {
  /** What errors call a row, docker's name: `*formatter.ContainerContext`. */
  readonly typeName: string
  readonly fields: Readonly<Record<string, Field<Item>>>
  /** Placeholders that have a text as argument: `{{.Label "x"}}`. Their heading is the last part of that text. */
  readonly methods?: Readonly<Record<string, (item: Item, argument: string) => string>>
  /** Columns of the table that is shown without `--format`. */
  readonly columns: readonly string[]
  /** The field that `--quiet` shows. */
  readonly quiet: string
}

/** What a user asks for. */
export interface ListOptions {
  /** Of `--format`; docker takes an empty one for none. */
  readonly format?: string | undefined
  readonly quiet?: boolean
}

/** The text of a list. Throws INVALID_ARGUMENT for a template that is none. Control characters of values are never in it. */
export async function listText<Item>(form: ListForm<Item>, items: readonly Item[], { format, quiet }: ListOptions): Promise<string> {
  if (!isTemplate(format)) return quiet === true ? quietText(form, items) : plainTable(form, items)
  const { templateRows } = await import('./format-template.js')
  return templateRows(form, items, String(format))
}

/** Whether `--format` asks for more than the table there is without it. */
export function isTemplate(format: unknown): boolean {
  return typeof format === 'string' && format.trim() !== '' && format.trim() !== 'table'
}

function quietText<Item>({ fields, quiet }: ListForm<Item>, items: readonly Item[]): string {
  return items.map((item) => `${fields[quiet]?.value(item)}\n`).join('')
}

function plainTable<Item>({ fields, columns }: ListForm<Item>, items: readonly Item[]): string {
  const shown = columns.flatMap((name) => fields[name] ?? [])
  return table(
    shown.map(({ heading }) => heading),
    items.map((item) => shown.map(({ value }) => printable(value(item)))),
  )
}
