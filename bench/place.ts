import type { Driver } from './driver.js'
import { expectSuccess } from './expect-success.js'
import type { Mode } from './mode.js'
import type { RunAttack } from './wasm-attacks/engines.js'
import type { Workbench } from './workbench.js'

/** A command of the host: a program and its words. */
export type HostCommand = readonly [program: string, ...words: string[]]

/** How a mode's own words handle a container that goes on running. */
export interface ContainerWords {
  /** Starts one in the background, by name. */
  start(name: string, words: readonly string[]): Promise<HostCommand>
  /** Runs one more program in it. */
  exec(name: string, words: readonly string[]): Promise<HostCommand>
  /** Kills it and takes it away. */
  remove(name: string): HostCommand
}

/** A mode that is ready: which command of the host runs a guest behind it, the guest's standard streams its own. */
export interface Place {
  /** The parent of its commands. */
  readonly driver: Driver
  /** The command that runs `words`, from start to exit. The first word is a program of the root tree, or names a module. */
  command(words: readonly string[]): Promise<HostCommand>
  /** A folder in which a guest may write, as it sees it; empty for its root. */
  readonly writable: string
  /** How a stranger's module is run, where guests are modules; a mode without it runs programs. */
  readonly attempt?: RunAttack
  /** Null where a container cannot be left running, and why. */
  readonly containers: ContainerWords | string
  /** Why a guest's process is not this user's to kill; absent where it is. */
  readonly foreignGuests?: string
  /** A start takes seconds: guests that take their own time run in one container for all of them. */
  readonly isSlowToStart?: boolean
}

/** A mode whose guests are reached by a command: start to exit is one workload for it, and any other can be measured too. */
export interface PlacedMode extends Mode {
  /** Who has to set it up, in a few words: `an ordinary user`, `a daemon of root's`. */
  readonly setUpBy: string
  /** Gets everything ready; once for a run. Rejects with Unavailable where the host cannot do it. */
  place(workbench: Workbench): Promise<Place>
}

/** A mode from its place. */
export function placed({
  setUpBy = 'an ordinary user',
  place,
  ...named
}: Pick<PlacedMode, 'name' | 'summary' | 'place'> & { readonly setUpBy?: string }): PlacedMode {
  const once = (workbench: Workbench) => workbench.once(`place ${named.name}`, () => place(workbench))
  return {
    ...named,
    setUpBy,
    place: once,
    async open(workbench, words) {
      const { driver, command } = await once(workbench)
      const [program, ...args] = await command(words)
      return { name: named.name, sample: async () => expectSuccess(await driver.run(program, args)) }
    },
  }
}
