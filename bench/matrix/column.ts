import { join } from 'node:path'
import { messageOf } from '../../src/errors.js'
import { GUEST_FOLDER, LACKING } from '../compile-guest.js'
import type { DriverTalk } from '../driver.js'
import { expectSuccess } from '../expect-success.js'
import type { Subject } from '../measure.js'
import type { ContainerWords, HostCommand, Place, PlacedMode } from '../place.js'
import { Unavailable } from '../unavailable.js'
import type { Workbench } from '../workbench.js'
import { type Missing, orMissing, type Workload } from '../workload.js'

/** What stands for a program that runs and does nothing. */
export const WAITING_GUEST: readonly string[] = ['/.bench/talk', 'wait']

/** What is measured of every mode alike: a column of the matrix. */
export interface Column {
  /** One word. */
  readonly name: string
  readonly summary: string
  readonly unit: Workload['unit']
  readonly rounds: number
  readonly quickRounds: number
  /** Its figure for one mode. Rejects with Unavailable where the mode has no such thing. */
  open(cell: Cell): Promise<() => Promise<number>>
}

/** Where a column meets a mode. */
export interface Cell {
  readonly workbench: Workbench
  /** The mode's name. */
  readonly mode: string
  readonly place: Place
  /**
   * Runs a guest and hears it out, in a container of its own unless `command` says otherwise. Rejects when it ended with anything but 0: with
   * Unavailable where it found nothing to measure.
   */
  talk(words: readonly string[], options?: { readonly turns?: number; readonly command?: Place['command'] }): Promise<DriverTalk>
  /** The command for a guest that takes its own time: in a container of its own, or where a start takes seconds in one for all of them. */
  workCommand(words: readonly string[]): Promise<HostCommand>
}

/** A column as a workload, whose subjects are the modes. A mode that cannot do it is a row that says why. */
export function workloadOf(column: Column, modes: readonly PlacedMode[]): Workload {
  return {
    ...column,
    async open(workbench) {
      const subjects: (Subject | Missing)[] = []
      for (const mode of modes) subjects.push(await cellOf(workbench, column, mode))
      return subjects
    },
  }
}

async function cellOf(workbench: Workbench, column: Column, mode: PlacedMode): Promise<Subject | Missing> {
  const { name } = mode
  try {
    return await orMissing(name, async () => {
      const place = await mode.place(workbench)
      return { name, sample: await column.open(cellAt(workbench, place, name)) }
    })
  } catch (error) {
    // Whatever a peer does wrong is its row's and not the run's.
    return { name, missing: messageOf(error) }
  }
}

/** A mode that is ready, as columns and examiners have it. */
export function cellAt(workbench: Workbench, place: Place, mode: string): Cell {
  return { workbench, mode, place, talk: talker(workbench, place, mode), workCommand: worker(workbench, place, mode) }
}

function worker(workbench: Workbench, place: Place, mode: string): Cell['workCommand'] {
  const { containers, isSlowToStart = false } = place
  if (!isSlowToStart || typeof containers === 'string') return place.command
  return async (words) => containers.exec(await leftRunning(workbench, place, mode), words)
}

/** A container of a mode that waits until the end of the run: its name. The same for all who ask. Rejects with Unavailable where there are none. */
export function leftRunning(workbench: Workbench, place: Place, mode: string): Promise<string> {
  const name = `${mode}-left`
  return workbench.once(`container ${name}`, async () => {
    const { start, remove, run } = containersOf(place)
    await run(await start(name, WAITING_GUEST))
    workbench.atEnd(async () => void (await run(remove(name)).catch(() => {})))
    return name
  })
}

function talker(workbench: Workbench, place: Place, name: string): Cell['talk'] {
  const { driver } = place
  return async (words, { turns = 0, command = place.command } = {}) => {
    const [program, ...args] = await command(words)
    const talk = await driver.talk(program, args, { keep: join(workbench.directory, `${name}.heard`), turns })
    if (talk.exitCode === LACKING && words[0]?.startsWith(GUEST_FOLDER)) throw new Unavailable(talk.output.trim())
    if (talk.exitCode !== 0) throw new Error(`${words.join(' ')}: ended with ${talk.exitCode}`)
    return talk
  }
}

/** How a mode's containers are left running, and how its commands for them run. Throws Unavailable where there are none. */
export function containersOf({ containers, driver }: Place): ContainerWords & { run(command: HostCommand): Promise<number> } {
  if (typeof containers === 'string') throw new Unavailable(containers)
  return { ...containers, run: async ([program, ...words]) => expectSuccess(await driver.run(program, words)) }
}
