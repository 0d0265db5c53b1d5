import { join } from 'node:path'
import { expectSuccess } from './expect-success.js'
import { hasProgram } from './has-program.js'
import { podmanWords } from './podman-words.js'
import { require } from './unavailable.js'
import { packageRoot, type Workbench } from './workbench.js'

/** Runs a program to its end and gives the milliseconds. */
export type Run = (...words: readonly string[]) => Promise<number>

/** Programs that speak to registries. */
export interface RegistryClients {
  /** wolffia's command line over a store. */
  wolffia(home: string): Run
  /** Throws {@link Unavailable}. */
  skopeo(): Run
  /** With storage below the run's folder. Rejects with {@link Unavailable}. */
  podman(): Promise<Run>
  /** Any other. */
  program(name: string): Run
}

/** The clients of a run. */
export async function registryClients(workbench: Workbench): Promise<RegistryClients> {
  const driver = await workbench.driver()
  const program =
    (name: string): Run =>
    async (...words) =>
      expectSuccess(await driver.run(name, words))
  const installed = (name: string) => require(hasProgram(name), `${name} is not installed`)
  return {
    program,
    wolffia: (home) => {
      const words = [`WOLFFIA_HOME=${home}`, process.execPath, '--', join(packageRoot, 'dist/cli.cjs')]
      return (...more) => program('env')(...words, ...more)
    },
    skopeo: () => {
      installed('skopeo')
      return (...more) => program('skopeo')('--insecure-policy', ...more)
    },
    podman: async () => {
      installed('podman')
      const [words, parent] = [await podmanWords(workbench), await workbench.peerDriver()]
      workbench.atEnd(async () => void (await parent.run('rm', ['-rf', join(workbench.directory, 'podman')])))
      return async (...more) => expectSuccess(await parent.run('podman', [...words, ...more]))
    },
  }
}
