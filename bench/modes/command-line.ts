import { basename, join } from 'node:path'
import { GUEST_FOLDER, type GuestName } from '../compile-guest.js'
import { type HostCommand, type PlacedMode, placed } from '../place.js'
import { requireWall } from '../require-wall.js'
import { guestImage } from '../timed-guest.js'
import { walled } from '../wasm-attacks/engines.js'
import { packageRoot, type Workbench } from '../workbench.js'

/** wolffia's command line: `run --rm` behind a wall, with an environment of its own. */
function commandLineOf(name: string, summary: string, wall: 'native' | 'wasm', environment: readonly string[]): PlacedMode {
  return placed({
    name,
    summary,
    async place(workbench) {
      const engine = await workbench.engine()
      await requireWall(engine, wall)
      const cli: HostCommand = [
        'env',
        `WOLFFIA_HOME=${engine.home}`,
        ...environment,
        process.execPath,
        '--',
        join(packageRoot, 'dist/cli.cjs'),
      ]
      const image = (words: readonly string[]) => (wall === 'native' ? nativeImage(workbench, words) : wasmImage(workbench, words))
      return {
        driver: await workbench.driver(),
        command: async (words) => [...cli, 'run', '--rm', '-i', '--runtime', wall, ...(await image(words))],
        writable: wall === 'native' ? '/tmp' : '',
        // What the wall holds is the engine's to say, whoever speaks to it.
        ...(wall === 'native' ? {} : { attempt: walled(workbench, 'wolffia').attempt }),
        containers: {
          start: async (container, words) => [...cli, 'run', '-d', '-i', '--name', container, '--runtime', wall, ...(await image(words))],
          exec: async (container, [program = '', ...words]) => {
            const path = wall === 'native' ? program : `/${basename(await workbench.moduleOf(program))}`
            return [...cli, 'exec', container, path, ...words]
          },
          remove: (container) => [...cli, 'rm', '--force', container],
        },
      }
    },
  })
}

/** wolffia's command line as it is by itself: below a holder where this user has a range of ids. */
export const commandLine = commandLineOf('command-line', 'wolffia run --rm, native wall below a holder', 'native', [])

/** The same without a holder. */
export const oneShot = commandLineOf('one-shot', 'wolffia run --rm, native wall, no holder', 'native', ['WOLFFIA_HOLDER_SECONDS=0'])

/** The Wasm wall, in a process of its own within the native one. */
export const doubleWall = commandLineOf('wasm', 'wolffia run --rm, Wasm in a process of its own behind the native wall', 'wasm', [])

async function nativeImage(workbench: Workbench, words: readonly string[]): Promise<readonly string[]> {
  return [await workbench.busyboxImage(), ...words]
}

async function wasmImage(workbench: Workbench, [program = '', ...words]: readonly string[]): Promise<readonly string[]> {
  const module = await workbench.moduleOf(program)
  if (module.startsWith(`${await workbench.rootDirectory()}/`)) return [await workbench.busyboxImage(), program, ...words]
  const guest = program.replace(`${GUEST_FOLDER}/`, '')
  return [guest === program ? await workbench.moduleImage(guest) : await guestImage(workbench, guest as GuestName), ...words]
}
