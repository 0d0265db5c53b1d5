import { join } from 'node:path'
import { messageOf } from '../../src/errors.js'
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
  /** Runs a guest and hears it out. Rejects when it ended with anything but 0. */
  talk(words: readonly string[], options?: { readonly turns?: number }): Promise<DriverTalk>
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
      return { name, sample: await column.open({ workbench, mode: name, place, talk: talker(workbench, place, name) }) }
    })
  } catch (error) {
    // Whatever a peer does wrong is its row's and not the run's.
    return { name, missing: messageOf(error) }
  }
}

/** How a mode's guests are heard. */
export function talker(workbench: Workbench, { driver, command }: Place, name: string): Cell['talk'] {
  return async (words, { turns = 0 } = {}) => {
    const [program, ...args] = await command(words)
    const talk = await driver.talk(program, args, { keep: join(workbench.directory, `${name}.heard`), turns })
    if (talk.exitCode !== 0) throw new Error(`${words.join(' ')}: ended with ${talk.exitCode}`)
    return talk
  }
}

/** How a mode's containers are left running, and how its commands for them run. Throws Unavailable where there are none. */
export function containersOf({ place: { containers, driver } }: Cell): ContainerWords & { run(command: HostCommand): Promise<number> } {
  if (typeof containers === 'string') throw new Unavailable(containers)
  return { ...containers, run: async ([program, ...words]) => expectSuccess(await driver.run(program, words)) }
}
