import { dirname } from 'node:path'
import { hasProgram } from './has-program.js'
import { writeBundle } from './oci-bundle.js'
import { type HostCommand, type PlacedMode, placed } from './place.js'
import { require } from './unavailable.js'

/** A runtime with the words of runc's command line, rootless, on a bundle of its own for each command. */
export function ociRuntime(name: string, summary: string, flags: readonly string[]): PlacedMode {
  return placed({
    name,
    summary,
    async place(workbench) {
      require(hasProgram(name), `${name} is not installed`)
      const state = dirname(await workbench.file(`${name}/state/.keep`, ''))
      const words: HostCommand = [name, '--root', state, ...flags]
      const id = (container: string) => `wolffia-bench-${process.pid}-${container}`
      let bundles = 0
      const bundle = (args: readonly string[]) => writeBundle(workbench, `${name}-${bundles++}`, args)
      return {
        driver: await workbench.peerDriver(),
        command: async (args) => [...words, 'run', '--bundle', await bundle(args), id('run')],
        writable: '/tmp',
        containers: {
          start: async (container, args) => [...words, 'run', '--detach', '--bundle', await bundle(args), id(container)],
          exec: async (container, args) => [...words, 'exec', id(container), ...args],
          remove: (container) => [...words, 'delete', '--force', id(container)],
        },
      }
    },
  })
}
