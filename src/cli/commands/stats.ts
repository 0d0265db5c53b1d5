import { setTimeout as sleep } from 'node:timers/promises'
import type { Container } from '../../container/container.js'
import type { Engine } from '../../engine/engine.js'
import { EngineError } from '../../errors.js'
import type { Usage } from '../../runtime/guest-processes.js'
import type { CliCommand } from '../command.js'
import { listText } from '../format.js'
import { LiveScreen } from '../live-screen.js'
import { writeAtReadersPace } from '../slow-reader.js'
import { type ListedUsage, statsForm } from '../stats-form.js'

const INTERVAL_MS = 1000

/** `wolffia stats`: what containers use, once a second until it is interrupted. */
export const command: CliCommand = {
  usage: '[CONTAINER...]',
  arity: [0, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-a, --all', 'also those that do not run')
      .option('--format <template>', 'table, json, a Go template, or table and a template: {{.Name}} {{.CPUPerc}}')
      .option('--no-stream', 'once, and not again and again')
      .option('--no-trunc', 'whole ids')
  },
  async run(names, { all, format, stream, trunc }) {
    const form = statsForm({ whole: trunc === false })
    const show = (items: readonly ListedUsage[]) => listText(form, items, { format: format as string | undefined })
    // What is wrong with a template is told before anything is waited for.
    await show([])
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const stop = new AbortController()
    const interrupt = () => stop.abort()
    process.stdout.on('error', interrupt)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
    const looks = new Looks(engine, names, { all: all === true })
    // The first tells how much of the processor has been used so far, the next how much is used.
    await looks.next()
    if (stream === false) {
      await pause(stop.signal)
      if (!stop.signal.aborted) process.stdout.write(await show(await looks.next()))
      return 0
    }
    using screen = process.stdout.isTTY ? new LiveScreen(process.stdout) : null
    screen?.show(await show([]))
    for (;;) {
      await pause(stop.signal)
      if (stop.signal.aborted) return 0
      const text = await show(await looks.next())
      if (screen !== null) screen.show(text)
      else await writeAtReadersPace(process.stdout, text, stop.signal)
    }
  },
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {})
}

/** One look at what containers use after the other. */
class Looks {
  readonly #engine: Engine
  readonly #names: readonly string[]
  readonly #all: boolean
  #before: ReadonlyMap<string, Usage> = new Map()

  constructor(engine: Engine, names: readonly string[], { all }: { readonly all: boolean }) {
    this.#engine = engine
    this.#names = names
    this.#all = all
  }

  /** Rejects with CONTAINER_NOT_FOUND when one that was named is not there, or no longer. */
  async next(): Promise<readonly ListedUsage[]> {
    const rows = await Promise.all(
      (await this.#containers()).map(async ({ asked, container }): Promise<ListedUsage> => {
        const { id, name, image } = container.summary()
        const usage = image === null ? null : await container.usage().catch(ignoreItsEnd)
        return { asked, id, name, usage, before: this.#before.get(id) ?? null }
      }),
    )
    this.#before = new Map(rows.flatMap(({ id, usage }) => (usage === null ? [] : [[id, usage] as const])))
    return rows
  }

  async #containers(): Promise<readonly { readonly asked: string; readonly container: Container }[]> {
    const { containers } = this.#engine
    if (this.#names.length > 0) return Promise.all(this.#names.map(async (asked) => ({ asked, container: await containers.get(asked) })))
    const listed = await containers.list({ all: this.#all })
    // Between the two one may have gone.
    const found = await Promise.all(listed.map(({ id }) => containers.get(id).catch(ignoreItsEnd)))
    return found.flatMap((container) => (container === null ? [] : [{ asked: container.id, container }]))
  }
}

function ignoreItsEnd(error: unknown): null {
  if (error instanceof EngineError && ['CONFLICT', 'CONTAINER_NOT_FOUND'].includes(error.code)) return null
  throw error
}
