import type { Writable } from 'node:stream'

/** As docker's tables: blanks behind a cell, and the least that a column has with them. */
const GAP = 3
const LEAST_WIDTH = 10

/** A column of a table: its heading and what stands in each row. */
export type Row = readonly string[]

/** Rows under headings as docker prints them: columns as wide as their widest cell, three spaces apart, nothing after the last. */
export function table(headings: Row, rows: readonly Row[]): string {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)))
  return [headings, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(Math.max((widths[column] ?? 0) + GAP, LEAST_WIDTH))))
        .join('')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** Docker's `2 minutes ago` without the last word. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.round(minutes / 60)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`
  return `${Math.floor(hours / 24 / 365)} years`
}

/** Docker's sizes: decimal units, three digits. */
export function humanSize(bytes: number): string {
  return sizeText(bytes, { units: ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], base: 1000, digits: 3 })
}

/** Docker's sizes of memory: binary units, four digits. */
export function binarySize(bytes: number): string {
  return sizeText(bytes, { units: ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], base: 1024, digits: 4 })
}

interface SizeWords {
  readonly units: readonly string[]
  readonly base: number
  readonly digits: number
}

function sizeText(bytes: number, { units, base, digits }: SizeWords): string {
  let size = bytes
  let unit = 0
  while (size >= base && unit < units.length - 1) {
    size /= base
    unit++
  }
  return `${Number(size.toPrecision(digits))}${units[unit]}`
}

/** `text`, cut to `length` characters with an ellipsis as the last; what {@link printable} made of a character is kept or left out whole. */
export function ellipsis(text: string, length: number): string {
  const characters = text.match(/\\x[0-9a-f]{2}|./gsu) ?? []
  const width = (pieces: readonly string[]) => pieces.reduce((sum, piece) => sum + (piece.startsWith('\\x') ? piece.length : 1), 0)
  if (width(characters) <= length) return text
  while (width(characters) >= length) characters.pop()
  return `${characters.join('')}…`
}

/** Bold, dim and colours for people at a terminal; plain text into a pipe, a file, a dumb terminal, or with NO_COLOR. */
export class Style {
  readonly #enabled: boolean

  constructor(stream: Writable & { isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env) {
    this.#enabled = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb'
  }

  bold(text: string): string {
    return this.#paint(text, 1, 22)
  }

  dim(text: string): string {
    return this.#paint(text, 2, 22)
  }

  red(text: string): string {
    return this.#paint(text, 31, 39)
  }

  green(text: string): string {
    return this.#paint(text, 32, 39)
  }

  yellow(text: string): string {
    return this.#paint(text, 33, 39)
  }

  #paint(text: string, start: number, end: number): string {
    return this.#enabled ? `\u001b[${start}m${text}\u001b[${end}m` : text
  }
}

/** Replaces control characters, so that no name made by a guest or an image can steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** A time as Go prints one, in the zone of this machine: `2024-05-17 08:30:00 +0200 CEST`. */
export function timestamp(date: Date): string {
  const two = (count: number) => String(Math.trunc(Math.abs(count))).padStart(2, '0')
  const minutes = -date.getTimezoneOffset()
  const offset = `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}${two(minutes % 60)}`
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  const zone = parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${day} ${time} ${offset} ${/^[A-Z]+$/.test(zone) ? zone : offset}`
}
