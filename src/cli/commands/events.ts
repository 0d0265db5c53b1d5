import type { EngineEvent } from '../../container/journal.js'
import type { CliCommand } from '../command.js'
import { EVENT_FILTERS, eventMatches } from '../event-filter.js'
import { eventFields, eventJson, eventLine } from '../event-form.js'
import { addFilterFlag, parseFilters } from '../filter.js'
import { writeAtReadersPace } from '../slow-reader.js'
import { parseTime } from '../time-flag.js'

/** `wolffia events`: what happens to containers, images and volumes, whoever does it, until it is interrupted. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    addFilterFlag(parser, EVENT_FILTERS)
    parser
      .option('--format <template>', 'json, or a Go template: {{.Type}} {{.Action}} {{.Actor.ID}}')
      .option('--since <time>', 'also what has happened since: 2026-01-02T15:04:05Z, 10m')
      .option('--until <time>', 'end then, or with what happened before: 2026-01-02T15:04:05Z, 10m')
  },
  async run(_positional, { filter, format, since, until, debug }) {
    const now = Date.now()
    const filters = parseFilters(filter, EVENT_FILTERS)
    const first = since === undefined ? null : parseTime(String(since), now)
    const last = until === undefined ? null : parseTime(String(until), now)
    let show = (event: EngineEvent) => `${eventLine(event)}\n`
    if (format === 'json') show = (event) => `${eventJson(event)}\n`
    else if (format !== undefined && format !== '') {
      const { inspectTemplate, TEMPLATE_EXIT_CODE } = await import('../inspect-template.js')
      const template = inspectTemplate(String(format), { command: 'events', debug: debug === true })
      if (template === null) return TEMPLATE_EXIT_CODE
      show = (event) => template(eventFields(event))
    }
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const stop = new AbortController()
    process.stdout.on('error', () => stop.abort())
    // As docker: without either, only what is still to come.
    const from = first ?? (last === null ? new Date(now) : null)
    const events = engine.events({
      follow: true,
      signal: stop.signal,
      ...(from === null ? {} : { since: from }),
      ...(last === null ? {} : { until: last }),
    })
    for await (const event of events) {
      if (!eventMatches(event, filters)) continue
      await writeAtReadersPace(process.stdout, show(event), stop.signal)
      if (stop.signal.aborted) break
    }
    return 0
  },
}
