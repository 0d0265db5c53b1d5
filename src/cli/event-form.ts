import type { EngineEvent } from '../container/journal.js'
import { printable } from './output.js'

/** An event as docker prints one: `2026-01-02T15:04:05.000000000+01:00 container start ID (image=x, name=y)`. */
export function eventLine({ time, type, action, id, attributes }: EngineEvent): string {
  const names = Object.keys(attributes).sort()
  const shown = names.map((name) => `${name}=${attributes[name]}`).join(', ')
  return printable(`${localTime(time)} ${type} ${action} ${id}${names.length === 0 ? '' : ` (${shown})`}`)
}

/** In the words of `GET /events`, as JSON. */
export function eventJson({ time, type, action, id, attributes }: EngineEvent): string {
  const seconds = Math.floor(Date.parse(time) / 1000)
  // The words of the first API, which docker still gives for these.
  const first = type === 'container' ? { status: action, id, from: attributes.image ?? '' } : type === 'image' ? { status: action, id } : {}
  const event = { ...first, Type: type, Action: action, Actor: { ID: id, Attributes: attributes }, scope: 'local', time: seconds }
  // More than a JavaScript number holds.
  return JSON.stringify(event).replace(/\}$/, `,"timeNano":${seconds}${nanoseconds(time)}}`)
}

/** The same as a template sees it; the last digits of its nanoseconds are rounded, for a number does not hold them. */
export function eventFields(event: EngineEvent): object {
  const { time, type, action, id, attributes } = event
  const milliseconds = Date.parse(time)
  return {
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    Scope: 'local',
    Time: Math.floor(milliseconds / 1000),
    TimeNano: milliseconds * 1_000_000,
    Status: type === 'volume' ? '' : action,
    ID: type === 'volume' ? '' : id,
    From: type === 'container' ? (attributes.image ?? '') : '',
  }
}

/** RFC 3339 with nine digits of a second, in the zone of this machine. */
function localTime(time: string): string {
  const date = new Date(time)
  const two = (count: number) => String(Math.trunc(Math.abs(count))).padStart(2, '0')
  const minutes = -date.getTimezoneOffset()
  const zone = minutes === 0 ? 'Z' : `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day}T${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}.${nanoseconds(time)}${zone}`
}

/** The nine digits behind a second. */
function nanoseconds(time: string): string {
  return (/\.(\d+)/.exec(time)?.[1] ?? '').slice(0, 9).padEnd(9, '0')
}
