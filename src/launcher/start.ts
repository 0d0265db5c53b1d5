import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EngineError } from '../errors.js'
import { assetPath, launcherBuildCommand } from './installation.js'
import { type LauncherChild, type StdioEnd, spawnLauncher } from './spawner.js'

/** What a launcher is started with. */
export interface StartOptions {
  /** The caller's ends of stdin, stdout, stderr; nowhere when absent. The guest never holds these, only pipes of the launcher. */
  readonly stdio?: readonly [stdin: StdioEnd, stdout: StdioEnd, stderr: StdioEnd]
  /** Descriptors 6, 7, … of the launcher: numbers of this process's own, or `pipe` for an entry of {@link LauncherProcess.streams}. */
  readonly descriptors?: readonly (number | 'pipe')[]
  /** What a plan that says `seccomp` needs: the file of a program, or its bytes. */
  readonly seccompProgramPath?: string
  readonly seccompProgram?: Uint8Array
}

/** Starts the launcher, by the spawner or by this process. Throws RUNTIME_UNAVAILABLE where no process can be made, with the way out. */
export function startLauncher(options: StartOptions, { hasProgram }: { readonly hasProgram: boolean }): LauncherChild {
  const { seccompProgram, seccompProgramPath, descriptors = [] } = options
  const stdio = [...(options.stdio ?? (['ignore', 'ignore', 'ignore'] as const)), 'pipe', 'pipe'] as const
  if (seccompProgram === undefined) {
    const spawned = spawnLauncher({ stdio: [...stdio, 'ignore', ...descriptors], filterPath: seccompProgramPath, hasProgram })
    if (spawned !== null) return spawned
  }
  let seccomp: number | 'ignore' = 'ignore'
  let child: ChildProcess
  try {
    if (seccompProgram !== undefined) seccomp = openBytes(seccompProgram)
    else if (seccompProgramPath !== undefined) seccomp = openSync(seccompProgramPath, 'r')
    child = spawn(assetPath('launcher'), [], {
      stdio: [...stdio, seccomp, ...descriptors],
      env: {},
      // A signal meant for the caller's process group (Ctrl-C) is the caller's to pass on.
      detached: true,
    })
  } catch (cause) {
    throw spawnError(cause as NodeJS.ErrnoException)
  } finally {
    if (typeof seccomp === 'number') closeSync(seccomp)
  }
  // Out of descriptors Node gives back a child without streams, and says which limit it was only in an event.
  if ((child.stdio as ChildProcess['stdio'] | undefined) === undefined) {
    child.on('error', () => {})
    throw spawnError(Object.assign(new Error('too many open files'), { code: 'EMFILE' }))
  }
  return child
}

/** A file of these bytes that has no name any more. */
function openBytes(bytes: Uint8Array): number {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-'))
  try {
    const path = join(folder, 'program')
    writeFileSync(path, bytes, { mode: 0o600 })
    return openSync(path, 'r')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What to do when the host has no room for another process, which says nothing about the launcher. */
const ROOM_HINTS: Readonly<Record<string, string>> = {
  EMFILE: 'Let this process open more files (ulimit -n), or run fewer containers from it at once.',
  ENFILE: 'Let the host open more files; as root: sysctl -w fs.file-max=…',
  EAGAIN: 'Let this user have more processes (ulimit -u), or end some.',
  ENOMEM: 'Make room in memory and try again.',
}

/** What kept the launcher from being started, in such words. */
export function spawnError(cause: NodeJS.ErrnoException): EngineError {
  const code = cause.code ?? cause.message
  return new EngineError('RUNTIME_UNAVAILABLE', `the launcher cannot be executed: ${code}`, {
    cause,
    hint: ROOM_HINTS[code] ?? compileAgain(),
    data: { errno: code },
  })
}

/** Not asked for where the host has no room, since this may open a file. */
function compileAgain(): string {
  return `Compile it again: rm ${assetPath('launcher')}; ${launcherBuildCommand()}. The folder must not be on a noexec mount.`
}
