import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { assetPath } from '../../src/launcher/installation.js'

const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-static']

/** Folder of the thief's C sources, in the source tree and in an installed package alike. */
export function thiefSources(): string {
  return join(assetPath('.'), '../images/thief/linux')
}

/** Compiles the thief for this machine. Resolves with null, or with the reason why not, a sentence that says what to do. */
export async function compileThief(output: string): Promise<string | null> {
  const compiler = process.env.CC ?? 'cc'
  const sources = (await readdir(thiefSources())).filter((name) => name.endsWith('.c')).map((name) => join(thiefSources(), name))
  return promisify(execFile)(compiler, [...FLAGS, '-o', output, ...sources]).then(
    () => null,
    (error: NodeJS.ErrnoException & { readonly stderr?: string }) =>
      // EACCES: no folder of the PATH has it, and one of them cannot be looked into.
      error.code === 'ENOENT' || error.code === 'EACCES'
        ? `there is no C compiler (${compiler}): install gcc or clang`
        : `${compiler} cannot make a static program: ${(error.stderr ?? error.message).trim().split('\n')[0]}`,
  )
}
